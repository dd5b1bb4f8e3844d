//! Values that exist for local stacks alone and open nothing anywhere else.

/// The key that the simulator accepts; has the shape of a real one and is none.
pub const ULTRAVOX_API_KEY: &str = "DevOnly0.NotARealKeyOnlyForTheLocalStack0";

/// The secret with which the simulator signs its webhooks.
pub const WEBHOOK_SECRET: &str = "development-only-webhook-secret-of-the-local-stack";

/// The number that calls are said to come from; reserved for fiction.
pub const FROM_NUMBER: &str = "+12125550199";

/// The account that the simulator plays at the carrier.
pub const TELNYX_ACCOUNT_SID: &str = "development-only-account";

/// The key that the simulator accepts in the carrier's place.
pub const TELNYX_API_KEY: &str = "development-only-carrier-key";

/// The public half of the key with which the simulator signs in the carrier's place (seed 00 to 1f).
pub const TELNYX_PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

/// The namespace that every development server of Temporal has.
pub const NAMESPACE: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_has_the_shape_of_a_real_one() {
        let (prefix, rest) = ULTRAVOX_API_KEY.split_once('.').unwrap();
        assert_eq!((prefix.len(), rest.len()), (8, 32));
        assert!(prefix.chars().chain(rest.chars()).all(|c| c.is_ascii_alphanumeric()));
    }
}
