//! Tables of the message types that describe a tool.

use super::Kind::{Any, Choice, Flag, Is, Keyed, List, Object, Span, Text};
use super::{Kind, Shape};

const LOCATION: Kind = Choice(&[
    "PARAMETER_LOCATION_UNSPECIFIED",
    "PARAMETER_LOCATION_QUERY",
    "PARAMETER_LOCATION_PATH",
    "PARAMETER_LOCATION_HEADER",
    "PARAMETER_LOCATION_BODY",
]);

/// One entry of `selectedTools`.
pub static SELECTED_TOOL: Shape = Shape {
    name: "ultravox.v1.SelectedTool",
    fields: &[
        ("toolId", Text),
        ("toolName", Text),
        ("temporaryTool", Is(&TOOL_DEFINITION)),
        ("nameOverride", Text),
        ("descriptionOverride", Text),
        ("authTokens", Keyed(&Text)),
        ("parameterOverrides", Keyed(&Any)),
        ("transitionId", Text),
    ],
};

static TOOL_DEFINITION: Shape = Shape {
    name: "ultravox.v1.BaseToolDefinition",
    fields: &[
        ("modelToolName", Text),
        ("description", Text),
        ("dynamicParameters", List(&Is(&DYNAMIC_PARAMETER))),
        ("staticParameters", List(&Is(&STATIC_PARAMETER))),
        ("automaticParameters", List(&Is(&AUTOMATIC_PARAMETER))),
        ("requirements", Is(&TOOL_REQUIREMENTS)),
        ("timeout", Span),
        ("precomputable", Flag),
        ("http", Is(&HTTP_DETAILS)),
        ("client", Is(&CLIENT_DETAILS)),
        ("dataConnection", Is(&DATA_CONNECTION_DETAILS)),
        (
            "defaultReaction",
            Choice(&[
                "AGENT_REACTION_UNSPECIFIED",
                "AGENT_REACTION_SPEAKS",
                "AGENT_REACTION_LISTENS",
                "AGENT_REACTION_SPEAKS_ONCE",
            ]),
        ),
        ("staticResponse", Is(&STATIC_RESPONSE)),
    ],
};

static DYNAMIC_PARAMETER: Shape = Shape {
    name: "ultravox.v1.DynamicParameter",
    fields: &[("name", Text), ("location", LOCATION), ("schema", Object), ("required", Flag)],
};

static STATIC_PARAMETER: Shape = Shape {
    name: "ultravox.v1.StaticParameter",
    fields: &[("name", Text), ("location", LOCATION), ("value", Any)],
};

static AUTOMATIC_PARAMETER: Shape = Shape {
    name: "ultravox.v1.AutomaticParameter",
    fields: &[
        ("name", Text),
        ("location", LOCATION),
        (
            "knownValue",
            Choice(&[
                "KNOWN_PARAM_CALL_ID",
                "KNOWN_PARAM_CONVERSATION_HISTORY",
                "KNOWN_PARAM_OUTPUT_SAMPLE_RATE",
                "KNOWN_PARAM_CALL_STATE",
                "KNOWN_PARAM_CALL_STAGE_ID",
                "KNOWN_PARAM_THREAD_ID",
                "KNOWN_PARAM_THREAD_STATES",
                "KNOWN_PARAM_CALL_METADATA",
            ]),
        ),
    ],
};

static TOOL_REQUIREMENTS: Shape = Shape {
    name: "ultravox.v1.ToolRequirements",
    fields: &[
        ("httpSecurityOptions", Is(&SECURITY_OPTIONS)),
        ("requiredParameterOverrides", List(&Text)),
    ],
};

static SECURITY_OPTIONS: Shape = Shape {
    name: "ultravox.v1.SecurityOptions",
    fields: &[("options", List(&Is(&SECURITY_REQUIREMENTS)))],
};

static SECURITY_REQUIREMENTS: Shape = Shape {
    name: "ultravox.v1.SecurityRequirements",
    fields: &[
        ("requirements", Keyed(&Is(&SECURITY_REQUIREMENT))),
        ("ultravoxCallTokenRequirement", Is(&CALL_TOKEN)),
    ],
};

static SECURITY_REQUIREMENT: Shape = Shape {
    name: "ultravox.v1.SecurityRequirement",
    fields: &[
        ("queryApiKey", Is(&QUERY_API_KEY)),
        ("headerApiKey", Is(&HEADER_API_KEY)),
        ("httpAuth", Is(&HTTP_AUTH)),
    ],
};

static QUERY_API_KEY: Shape =
    Shape { name: "ultravox.v1.QueryApiKeyRequirement", fields: &[("name", Text)] };

static HEADER_API_KEY: Shape =
    Shape { name: "ultravox.v1.HeaderApiKeyRequirement", fields: &[("name", Text)] };

static HTTP_AUTH: Shape =
    Shape { name: "ultravox.v1.HttpAuthRequirement", fields: &[("scheme", Text)] };

static CALL_TOKEN: Shape =
    Shape { name: "ultravox.v1.UltravoxCallTokenRequirement", fields: &[("scopes", List(&Text))] };

static HTTP_DETAILS: Shape = Shape {
    name: "ultravox.v1.BaseHttpToolDetails",
    fields: &[
        ("baseUrlPattern", Text),
        ("httpMethod", Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"])),
    ],
};

static CLIENT_DETAILS: Shape = Shape { name: "ultravox.v1.BaseClientToolDetails", fields: &[] };

static DATA_CONNECTION_DETAILS: Shape =
    Shape { name: "ultravox.v1.BaseDataConnectionToolDetails", fields: &[] };

static STATIC_RESPONSE: Shape =
    Shape { name: "ultravox.v1.StaticToolResponse", fields: &[("responseText", Text)] };
