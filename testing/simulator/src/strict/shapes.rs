//! Tables of the message types a client may send, each with all its fields.

use super::Kind::{Choice, Flag, Is, Keyed, Link, List, Number, Object, Short, Span, Text, Whole};
use super::{Kind, Shape};

const SAMPLE_RATE: Kind = Whole(8_000, 48_000);
const MEDIUM: Kind =
    Choice(&["MESSAGE_MEDIUM_UNSPECIFIED", "MESSAGE_MEDIUM_VOICE", "MESSAGE_MEDIUM_TEXT"]);
/// Body of `POST /api/calls`.
pub static START_CALL: Shape = Shape {
    name: "ultravox.v1.StartCallRequest",
    fields: &[
        ("systemPrompt", Text),
        ("temperature", Number(0.0, 1.0)),
        ("model", Text),
        ("voice", Text),
        ("externalVoice", Is(&super::voices::EXTERNAL_VOICE)),
        ("languageHint", Short(16)),
        ("initialMessages", List(&Is(&MESSAGE))),
        ("joinTimeout", Span),
        ("maxDuration", Span),
        ("timeExceededMessage", Text),
        ("inactivityMessages", List(&Is(&TIMED_MESSAGE))),
        ("selectedTools", List(&Is(&super::tool_shapes::SELECTED_TOOL))),
        ("medium", Is(&super::dial::CALL_MEDIUM)),
        ("recordingEnabled", Flag),
        (
            "firstSpeaker",
            Choice(&["FIRST_SPEAKER_UNSPECIFIED", "FIRST_SPEAKER_AGENT", "FIRST_SPEAKER_USER"]),
        ),
        ("transcriptOptional", Flag),
        ("initialOutputMedium", MEDIUM),
        ("vadSettings", Is(&VAD_SETTINGS)),
        ("firstSpeakerSettings", Is(&FIRST_SPEAKER)),
        ("experimentalSettings", Object),
        ("metadata", Keyed(&Text)),
        ("initialState", Object),
        ("dataConnection", Is(&DATA_CONNECTION)),
        ("callbacks", Is(&CALLBACKS)),
        ("voiceOverrides", Is(&super::voices::EXTERNAL_VOICE)),
        (
            "retentionPolicy",
            Choice(&[
                "CALL_RETENTION_POLICY_UNSPECIFIED",
                "CALL_RETENTION_POLICY_RETAIN",
                "CALL_RETENTION_POLICY_AUTO_DELETE",
            ]),
        ),
        ("sharedSecrets", List(&Text)),
    ],
};

static MESSAGE: Shape = Shape {
    name: "ultravox.v1.Message",
    fields: &[
        (
            "role",
            Choice(&[
                "MESSAGE_ROLE_USER",
                "MESSAGE_ROLE_AGENT",
                "MESSAGE_ROLE_TOOL_CALL",
                "MESSAGE_ROLE_TOOL_RESULT",
            ]),
        ),
        ("text", Text),
        ("invocationId", Text),
        ("toolName", Text),
        ("errorDetails", Text),
        ("medium", MEDIUM),
        ("callStageMessageIndex", Whole(0, i32::MAX as i64)),
        ("callStageId", Text),
        ("callState", Object),
        ("timespan", Is(&TIMESPAN)),
        ("wallClockTimespan", Is(&TIMESPAN)),
        ("metadata", Object),
    ],
};

static TIMESPAN: Shape =
    Shape { name: "ultravox.v1.InCallTimespan", fields: &[("start", Span), ("end", Span)] };

static TIMED_MESSAGE: Shape = Shape {
    name: "ultravox.v1.TimedMessage",
    fields: &[
        ("duration", Span),
        ("message", Text),
        (
            "endBehavior",
            Choice(&[
                "END_BEHAVIOR_UNSPECIFIED",
                "END_BEHAVIOR_HANG_UP_SOFT",
                "END_BEHAVIOR_HANG_UP_STRICT",
            ]),
        ),
    ],
};

static VAD_SETTINGS: Shape = Shape {
    name: "ultravox.v1.VadSettings",
    fields: &[
        ("turnEndpointDelay", Span),
        ("minimumTurnDuration", Span),
        ("minimumInterruptionDuration", Span),
        ("frameActivationThreshold", Number(0.1, 1.0)),
    ],
};

static FIRST_SPEAKER: Shape = Shape {
    name: "ultravox.v1.FirstSpeakerSettings",
    fields: &[("user", Is(&USER_GREETING)), ("agent", Is(&AGENT_GREETING))],
};

static USER_GREETING: Shape = Shape {
    name: "ultravox.v1.FirstSpeakerSettings_UserGreeting",
    fields: &[("fallback", Is(&FALLBACK_GREETING))],
};

static FALLBACK_GREETING: Shape = Shape {
    name: "ultravox.v1.FallbackAgentGreeting",
    fields: &[("delay", Span), ("text", Text), ("prompt", Text)],
};

static AGENT_GREETING: Shape = Shape {
    name: "ultravox.v1.FirstSpeakerSettings_AgentGreeting",
    fields: &[("uninterruptible", Flag), ("text", Text), ("prompt", Text), ("delay", Span)],
};

static DATA_CONNECTION: Shape = Shape {
    name: "ultravox.v1.DataConnectionConfig",
    fields: &[
        ("websocketUrl", Text),
        ("audioConfig", Is(&AUDIO_CONFIG)),
        ("dataMessages", Is(&super::dial::DATA_MESSAGES)),
        ("headers", Keyed(&Text)),
    ],
};

static AUDIO_CONFIG: Shape = Shape {
    name: "ultravox.v1.DataConnectionAudioConfig",
    fields: &[
        ("sampleRate", SAMPLE_RATE),
        (
            "channelMode",
            Choice(&["CHANNEL_MODE_UNSPECIFIED", "CHANNEL_MODE_MIXED", "CHANNEL_MODE_SEPARATED"]),
        ),
    ],
};

static CALLBACKS: Shape = Shape {
    name: "ultravox.v1.Callbacks",
    fields: &[("joined", Is(&CALLBACK)), ("ended", Is(&CALLBACK)), ("billed", Is(&CALLBACK))],
};

static CALLBACK: Shape = Shape {
    name: "ultravox.v1.Callback",
    fields: &[("url", Link), ("secrets", List(&Short(120)))],
};

/// Data message `hang_up`.
pub static HANG_UP: Shape =
    Shape { name: "HangUpDataMessage", fields: &[("type", Text), ("message", Text)] };

/// Data message `user_text_message`.
pub static USER_TEXT_MESSAGE: Shape = Shape {
    name: "UserTextMessageDataMessage",
    fields: &[
        ("type", Text),
        ("text", Text),
        ("urgency", Choice(&["immediate", "soon", "later"])),
        ("threadId", Text),
    ],
};

/// Data message `forced_agent_message`.
pub static FORCED_AGENT_MESSAGE: Shape = Shape {
    name: "ForcedAgentMessageDataMessage",
    fields: &[
        ("type", Text),
        ("content", Text),
        ("toolCalls", List(&Is(&FORCED_TOOL_CALL))),
        ("knownToolResults", List(&Is(&KNOWN_TOOL_RESULT))),
        ("uninterruptible", Flag),
        ("urgency", Choice(&["immediate", "soon"])),
    ],
};

static FORCED_TOOL_CALL: Shape = Shape {
    name: "ForcedToolCall",
    fields: &[("id", Text), ("name", Text), ("arguments", Object)],
};

static KNOWN_TOOL_RESULT: Shape = Shape {
    name: "KnownToolResult",
    fields: &[
        ("invocationId", Text),
        ("result", Text),
        ("responseType", Text),
        ("agentReaction", Choice(&["speaks", "listens", "speaks-once"])),
    ],
};

/// Body of `POST /api/webhooks`.
pub static WEBHOOK: Shape = Shape {
    name: "Webhook",
    fields: &[
        ("url", Link),
        ("secrets", List(&Short(120))),
        ("events", List(&Choice(&["call.started", "call.joined", "call.ended", "call.billed"]))),
        ("agentId", Text),
    ],
};
