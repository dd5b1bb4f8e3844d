//! Every input that a fuzzer has found worth keeping is tried again.

use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

/// Tries the inputs of one target; each is named if it fails.
fn every_input(target: &str, attempt: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs: Vec<_> =
        std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() >= 3, "{}: {} inputs", corpus.display(), inputs.len());
    for input in inputs {
        let data = std::fs::read(&input).unwrap();
        let survived = std::panic::catch_unwind(|| attempt(&data));
        assert!(survived.is_ok(), "{} does harm", input.display());
    }
}

macro_rules! targets {
    ($($target:ident),+ $(,)?) => {
        $(
            #[test]
            fn $target() {
                every_input(stringify!($target), targets::$target);
            }
        )+

        #[test]
        fn every_folder_of_the_corpus_is_tried() {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
            for folder in std::fs::read_dir(corpus).unwrap() {
                let name = folder.unwrap().file_name().into_string().unwrap();
                assert!([$(stringify!($target)),+].contains(&name.as_str()), "{name}");
            }
        }
    };
}

targets!(
    signature_headers,
    carrier_headers,
    provider_body,
    plain_body,
    carrier_form,
    report_arguments
);
