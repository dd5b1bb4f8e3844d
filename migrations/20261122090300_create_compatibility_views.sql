-- The tables as clients have always filled them: singular names and unquoted camel-case columns,
-- which PostgreSQL folds to lower case. Each is a plain view, so that it can be written as well.

create view "User" as
    select id, name, email, clerk_id as clerkid, created_at as createdat, updated_at as updatedat
    from users;

create view "Prospect" as
    select id, name, phone, user_id as userid, status, last_contacted as lastcontacted,
        rescheduled_for as rescheduledfor
    from prospects;

create view "Setting" as
    select id, user_id as userid, theme from settings;

create view "AdvancedSetting" as
    select id, setting_id as settingid, time_zone as timezone, start_at as startat, end_at as endat
    from advanced_settings;

create view "ScriptSetting" as
    select id, setting_id as settingid, initial, follow_up as followup from script_settings;

create view "AgentSetting" as
    select id, setting_id as settingid, language, voice, first_message as firstmessage
    from agent_settings;

create view "Plan" as
    select id, name, price, minutes, duration, per_day as perday from plans;

create view "Subscription" as
    select id, user_id as userid, plan_id as planid, minutes_left as minutesleft, status
    from subscriptions;

create view "Conversation" as
    select id, user_id as userid, prospect_id as prospectid, status, slot as scheduledat, outcome,
        reason, notes, transcript, answered_at as startedat, ended_at as endedat,
        talk_secs as duration, created_at as createdat, updated_at as updatedat
    from conversations;

create view "Appointment" as
    select id, user_id as userid, prospect_id as prospectid, conversation_id as conversationid,
        appointment_time as appointmenttime, notes, created_at as createdat
    from appointments;

comment on view "Conversation" is 'For reading: conversations are made by the planner and closed by the record of their outcome.';
