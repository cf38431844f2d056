//! Provider simulators and synthetic participants: a product of ours, and the test bench.
