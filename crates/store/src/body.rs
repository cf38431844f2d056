//! Journal bodies.
