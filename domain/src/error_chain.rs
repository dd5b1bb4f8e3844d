//! Errors as one line for people.

use std::error::Error;

/// An error with its causes. A cause that the text before it contains is left out.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn causes_are_told_once() {
        let failed = |text, source: Option<Failed>| Failed { text, source: source.map(Box::new) };
        let refused = failed("connection refused", None);
        let connect = failed("connecting: connection refused", Some(refused));
        let outer = failed("sending", Some(connect));
        assert_eq!(error_chain(&outer), "sending: connecting: connection refused");
    }
}
