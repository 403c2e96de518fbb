//! `trilane check FILE...`: the rule loader's own messages, nothing of its own.

use std::path::PathBuf;

/// Checks each file and says what is wrong with it. Status 0: all are good, 1: one is wrong, 2: one cannot be read.
pub fn run(files: &[PathBuf]) -> u8 {
    let mut status = crate::OK;
    for file in files {
        status = status.max(one(file));
    }
    status
}

fn one(file: &PathBuf) -> u8 {
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("{name}: cannot be read: {e}");
            return crate::UNABLE;
        }
    };
    match trilane_lane::rules::check(&name, &text) {
        Ok(_) => {
            println!("{name}: ok");
            crate::OK
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            crate::WRONG
        }
    }
}
