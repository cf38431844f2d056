//! The pages are embedded by a macro that cargo cannot see through: without this, new pages would not be compiled in.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
