//! The account, its use of Telnyx, and its voices.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use super::paging::PageQuery;
use crate::schema::VOICES;

/// Shows the account of the key.
pub async fn show(State(simulator): App) -> Json<Value> {
    let settings = &simulator.settings;
    Json(json!({
        "accountId": "5e1f0000-0000-4000-8000-000000000000",
        "name": "Simulated account",
        "billingUrl": "https://app.ultravox.ai/settings/billing",
        "freeTimeUsed": "0s",
        "freeTimeRemaining": "0s",
        "hasActiveSubscription": true,
        "subscriptionTier": "SCALE",
        "subscriptionCadence": "MONTHLY",
        "subscriptionExpiration": null,
        "subscriptionScheduledUpdate": null,
        "subscriptionRenewal": null,
        "activeCalls": simulator.calls.all().iter().filter(|call| call.progress().is_active()).count(),
        "allowedConcurrentCalls": settings.max_concurrent,
        "allowedVoices": 0,
        "allowedCorpora": 0,
    }))
}

/// Shows which account of Telnyx places the calls.
pub async fn show_carrier(State(simulator): App) -> Json<Value> {
    Json(json!({
        "callCreationAllowedAgentIds": [],
        "callCreationAllowAllAgents": false,
        "accountSid": simulator.settings.telnyx_account_sid,
        "apiKeyPrefix": { "prefix": "simulat" },
        "publicKeyPrefix": { "prefix": "simulat" },
        "applicationSid": "simulated-application",
    }))
}

/// Lists the voices; `search` filters by a part of the name.
pub async fn list_voices(query: PageQuery) -> Json<Value> {
    let search = query.filters.iter().find(|(name, _)| name == "search");
    let search = search.map(|(_, text)| text.to_lowercase()).unwrap_or_default();
    let voices = VOICES.split_whitespace().filter(|name| name.to_lowercase().contains(&search));
    let voices = (1..).zip(voices.map(voice_json)).collect();
    Json(query.page(voices, |position, cursor| position > cursor))
}

/// Shows a voice by its id.
pub async fn show_voice(Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let voice = VOICES.split_whitespace().map(voice_json).find(|voice| voice["voiceId"] == id);
    voice.map(Json).ok_or_else(ApiError::not_found)
}

fn voice_json(name: &str) -> Value {
    let number = VOICES.split_whitespace().position(|other| other == name).unwrap_or_default();
    json!({
        "voiceId": format!("00000000-0000-4000-8000-{number:012}"),
        "name": name,
        "languageLabel": null,
        "previewUrl": "https://api.ultravox.ai/",
        "ownership": "public",
        "billingStyle": "VOICE_BILLING_STYLE_INCLUDED",
        "provider": null,
        "definition": {},
    })
}
