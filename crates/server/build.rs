//! The console's files are part of the binary: a console that was built anew makes a new binary.

use std::path::Path;

fn main() {
    let folder = Path::new("../../console/dist");
    // A path that does not exist would make every build a new one, so that the folder is there also
    // before the console is built. Where it cannot be made, it is not looked at.
    let is_there = folder.is_dir() || std::fs::create_dir_all(folder).is_ok();
    if is_there {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
}
