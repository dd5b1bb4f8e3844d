//! Runs the fuzz targets on the corpus: `fuzz/corpus/<target>.txt`, one input per line in base64.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[path = "../fuzz/targets.rs"]
mod targets;

fn corpus_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn run_corpus(name: &str, target: fn(&[u8])) {
    let corpus = std::fs::read_to_string(corpus_dir().join(name).with_extension("txt")).unwrap();
    assert!(corpus.lines().count() >= 3, "the corpus of {name} is too small");
    for (index, line) in corpus.lines().enumerate() {
        let input = STANDARD.decode(line).unwrap();
        let result = std::panic::catch_unwind(|| target(&input));
        assert!(result.is_ok(), "{name}.txt line {}: {}", index + 1, input.escape_ascii());
    }
}

macro_rules! targets {
    ($($target:ident),+ $(,)?) => {
        $(
            #[test]
            fn $target() {
                run_corpus(stringify!($target), targets::$target);
            }
        )+

        #[test]
        fn every_corpus_has_a_test() {
            for file in std::fs::read_dir(corpus_dir()).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                assert!([$(stringify!($target)),+].contains(&name), "{name}");
            }
        }
    };
}

targets!(
    webhook_signature,
    carrier_signature,
    provider_webhook,
    carrier_webhook,
    user_webhook,
    report_arguments,
    script,
    csv_file,
    database_url,
);
