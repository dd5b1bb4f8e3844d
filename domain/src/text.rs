//! Text from outside, in a form that every part of the service can hold: PostgreSQL stores no NUL, and JSON may contain
//! halves of characters.

use std::borrow::Cow;

/// Stands for what can't be kept.
const REPLACEMENT: &str = "\u{fffd}";

/// Replaces each NUL by U+FFFD.
pub fn replace_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace('\0', REPLACEMENT)),
    }
}

/// The text of a JSON document in which each NUL, lone surrogate and invalid byte is replaced by U+FFFD, so that no
/// string that is parsed from it contains them.
pub fn repair_json(document: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(document);
    let mut repaired = String::new();
    let mut copied = 0;
    let mut at = 0;
    // A backslash stands in strings only, and always begins an escape.
    while let Some(offset) = text[at..].find('\\') {
        let start = at + offset;
        let (length, is_valid) = read_escape(&text.as_bytes()[start..]);
        at = start + length;
        if !is_valid {
            repaired.push_str(&text[copied..start]);
            repaired.push_str(REPLACEMENT);
            copied = at;
        }
    }
    if copied == 0 {
        return text;
    }
    repaired.push_str(&text[copied..]);
    Cow::Owned(repaired)
}

/// The length of the escape at the start of `text`, and whether it stands for text that can be kept.
fn read_escape(text: &[u8]) -> (usize, bool) {
    match code_unit(text) {
        Some(0) => (6, false),
        Some(0xd800..0xdc00) => match code_unit(&text[6..]) {
            Some(0xdc00..0xe000) => (12, true),
            _ => (6, false),
        },
        Some(0xdc00..0xe000) => (6, false),
        Some(_) => (6, true),
        // Another escape. What follows its backslash may have more than one byte, which is no JSON.
        None => (if text.get(1).is_some_and(u8::is_ascii) { 2 } else { 1 }, true),
    }
}

/// The code unit of an escape such as `\u00e9`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    let value = |value: u16, digit: &u8| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value * 16 + u16::try_from(digit).ok()?)
    };
    digits.iter().try_fold(0, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_json_is_not_copied() {
        for text in [
            r#"{"a": "\n\\u0000 \" \ud83d\ude00 é \u00e9 \\\\ud83d"}"#,
            r#""\u00"#,
            r#""\"#,
            "\"\\é\"",
            "",
        ] {
            let repaired = repair_json(text.as_bytes());
            assert_eq!(repaired, text);
            assert!(matches!(repaired, Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_kept_is_replaced() {
        for (text, expected) in [
            (r#""a\u0000b""#, "\"a\u{fffd}b\""),
            (r#""\\\u0000\u0000""#, "\"\\\\\u{fffd}\u{fffd}\""),
            (r#""\ud83d""#, "\"\u{fffd}\""),
            (r#""\ud83d\n""#, "\"\u{fffd}\\n\""),
            (r#""\uD83D\ud83d\ude00""#, "\"\u{fffd}\\ud83d\\ude00\""),
            (r#""\ude00\ud83d""#, "\"\u{fffd}\u{fffd}\""),
        ] {
            assert_eq!(repair_json(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(repair_json(b"\"\xff\""), "\"\u{fffd}\"");
        assert_eq!(replace_nul("a\0b"), "a\u{fffd}b");
    }
}
