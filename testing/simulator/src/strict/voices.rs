//! Voices: the ones this account knows, and the tables for those it doesn't.

use super::Kind::{Choice, Flag, Is, Keyed, List, Number, Object, Text, Whole};
use super::{Kind, Shape};

/// Names accepted as `voice`.
pub const KNOWN: &[&str] = &[
    "Mark",
    "Jessica",
    "Emily-English",
    "Tanya-English",
    "Monika-English-Indian",
    "Aaron-English",
    "Muyiwa-English",
    "Steve-English-Australian",
    "Alex-Spanish",
    "Anna-German",
    "Ben-German",
    "Coco-French",
    "Hugo-French",
    "Giovanni-Italian",
    "Ruben-Dutch",
];

const ANY_NUMBER: Kind = Number(f64::MIN, f64::MAX);
const ANY_WHOLE: Kind = Whole(i64::MIN, i64::MAX);

/// A voice of another provider.
pub static EXTERNAL_VOICE: Shape = Shape {
    name: "ultravox.v1.ExternalVoice",
    fields: &[
        ("elevenLabs", Is(&ELEVEN_LABS)),
        ("cartesia", Is(&CARTESIA)),
        ("lmnt", Is(&LMNT)),
        ("google", Is(&GOOGLE)),
        ("inworld", Is(&INWORLD)),
        ("respeecher", Is(&RESPEECHER)),
        ("generic", Is(&GENERIC)),
    ],
};

static ELEVEN_LABS: Shape = Shape {
    name: "ultravox.v1.ElevenLabsVoice",
    fields: &[
        ("voiceId", Text),
        ("model", Text),
        ("speed", ANY_NUMBER),
        ("useSpeakerBoost", Flag),
        ("style", ANY_NUMBER),
        ("similarityBoost", ANY_NUMBER),
        ("stability", ANY_NUMBER),
        ("pronunciationDictionaries", List(&Is(&DICTIONARY))),
        ("optimizeStreamingLatency", ANY_WHOLE),
        ("maxSampleRate", ANY_WHOLE),
        ("enableSsmlParsing", Flag),
    ],
};

static DICTIONARY: Shape = Shape {
    name: "ultravox.v1.ElevenLabsVoice_PronunciationDictionaryReference",
    fields: &[("dictionaryId", Text), ("versionId", Text)],
};

static CARTESIA: Shape = Shape {
    name: "ultravox.v1.CartesiaVoice",
    fields: &[
        ("voiceId", Text),
        ("model", Text),
        ("speed", ANY_NUMBER),
        ("emotion", Text),
        ("emotions", List(&Text)),
        ("generationConfig", Is(&CARTESIA_GENERATION)),
    ],
};

static CARTESIA_GENERATION: Shape = Shape {
    name: "ultravox.v1.CartesiaVoice_CartesiaGenerationConfig",
    fields: &[
        ("volume", ANY_NUMBER),
        ("speed", ANY_NUMBER),
        ("emotion", Text),
        ("pronunciationDictId", Text),
    ],
};

static LMNT: Shape = Shape {
    name: "ultravox.v1.LmntVoice",
    fields: &[("voiceId", Text), ("model", Text), ("speed", ANY_NUMBER), ("conversational", Flag)],
};

static GOOGLE: Shape = Shape {
    name: "ultravox.v1.GoogleVoice",
    fields: &[("voiceId", Text), ("speakingRate", ANY_NUMBER)],
};

static INWORLD: Shape = Shape {
    name: "ultravox.v1.InworldVoice",
    fields: &[
        ("voiceId", Text),
        ("modelId", Text),
        ("speakingRate", ANY_NUMBER),
        ("temperature", ANY_NUMBER),
        ("applyTextNormalization", Flag),
    ],
};

static RESPEECHER: Shape = Shape {
    name: "ultravox.v1.RespeecherVoice",
    fields: &[
        ("voiceId", Text),
        ("model", Text),
        ("seed", ANY_WHOLE),
        ("temperature", ANY_NUMBER),
        ("topK", ANY_WHOLE),
        ("topP", Number(0.0, 1.0)),
        ("minP", Number(0.0, 1.0)),
        ("presencePenalty", Number(0.0, 2.0)),
        ("repetitionPenalty", Number(1.0, 2.0)),
        ("frequencyPenalty", Number(0.0, 2.0)),
    ],
};

static GENERIC: Shape = Shape {
    name: "ultravox.v1.GenericVoice",
    fields: &[
        ("url", Text),
        ("headers", Keyed(&Text)),
        ("body", Object),
        ("responseSampleRate", ANY_WHOLE),
        ("responseWordsPerMinute", ANY_WHOLE),
        ("responseMimeType", Text),
        ("jsonAudioFieldPath", Text),
        (
            "jsonByteEncoding",
            Choice(&[
                "JSON_BYTE_ENCODING_UNSPECIFIED",
                "JSON_BYTE_ENCODING_BASE64",
                "JSON_BYTE_ENCODING_HEX",
            ]),
        ),
    ],
};
