//! The pages are embedded by a macro that cargo cannot see through: without this, new pages would not be compiled in.

#[expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
