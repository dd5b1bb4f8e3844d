//! Values that exist for local stacks alone and open nothing anywhere else.

/// The key that the simulator accepts; has the shape of a real one and is none.
pub const ULTRAVOX_API_KEY: &str = "DevOnly0.NotARealKeyOnlyForTheLocalStack0";

/// The secret with which the simulator signs its webhooks.
pub const WEBHOOK_SECRET: &str = "development-only-webhook-secret-of-the-local-stack";

/// The number that calls are said to come from; reserved for fiction.
pub const FROM_NUMBER: &str = "+12125550199";

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
