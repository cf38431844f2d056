//! Migrations are embedded at compile time; a new file must cause a new build.

#![expect(
    clippy::print_stdout,
    reason = "this is how a build script talks to cargo"
)]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
