//! Telephone numbers in E.164 form.

use std::fmt;

/// A number in E.164 form: `+`, then 7 to 15 digits, the first not 0 (ITU-T E.164).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhoneNumber(String);

/// The text is not a number in E.164 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the phone number is not in E.164 form (a plus sign and 7 to 15 digits, such as +12125550100)"
)]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// Parses a number that is in E.164 form already; nothing is normalised.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let digits = text.strip_prefix('+').ok_or(InvalidPhoneNumber)?;
        let valid = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        valid.then(|| Self(text.to_owned())).ok_or(InvalidPhoneNumber)
    }

    /// The number with its plus sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_accepted() {
        for good in ["+1234567890", "+12125550100", "+4915550100", "+123456789012345"] {
            assert!(PhoneNumber::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "+",
            "12125550100",
            "+0125550100",
            "+1 212 555 0100",
            "+1-212-5550100",
            "+123456",
            "+1234567890123456",
            "+1２125550100",
            "tel:+12125550100",
        ] {
            assert_eq!(PhoneNumber::parse(bad), Err(InvalidPhoneNumber), "{bad}");
        }
    }
}
