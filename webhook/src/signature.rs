//! Signatures of webhooks, one scheme per sender.

pub mod telnyx;
pub mod ultravox;

/// The signature is missing, invalid or expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSignature;
