//! Values for local stacks only. They grant no access anywhere else.

/// API key that the simulator accepts in Ultravox's place, in the shape of a real one.
pub const ULTRAVOX_API_KEY: &str = "DevOnly0.NotARealKeyOnlyForTheLocalStack0";

/// Secret with which the simulator signs its webhooks.
pub const WEBHOOK_SECRET: &str = "development-only-webhook-secret-of-the-local-stack";

/// Caller number, from the range that is reserved for fiction.
pub const FROM_NUMBER: &str = "+12125550199";

/// Account that the simulator accepts in Telnyx's place.
pub const TELNYX_ACCOUNT_SID: &str = "development-only-account";

/// API key that the simulator accepts in Telnyx's place.
pub const TELNYX_API_KEY: &str = "development-only-carrier-key";

/// Public key for the simulator's Telnyx signatures (the seed is the bytes 00 to 1f).
pub const TELNYX_PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

/// Namespace that every Temporal development server has.
pub const NAMESPACE: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ultravox_api_key_has_the_shape_of_a_real_one() {
        let (prefix, rest) = ULTRAVOX_API_KEY.split_once('.').unwrap();
        assert_eq!((prefix.len(), rest.len()), (8, 32));
        assert!(prefix.chars().chain(rest.chars()).all(|c| c.is_ascii_alphanumeric()));
    }
}
