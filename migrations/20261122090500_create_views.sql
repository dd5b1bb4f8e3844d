-- The views under which users fill the tables: singular names and unquoted camel-case columns, which PostgreSQL folds
-- to lower case. Each is a plain view over one table, so that it can be written. New columns come last.

create view "User" as
    select id, name, email, clerk_id as clerkid, created_at as createdat, updated_at as updatedat,
        company_name as companyname
    from users;

create view "Prospect" as
    select id, name, phone, user_id as userid, status, last_contacted as lastcontacted,
        rescheduled_for as rescheduledfor, time_zone as timezone, state, notes,
        next_call_at as nextcallat
    from prospects;

create view "Setting" as
    select id, user_id as userid, theme from settings;

create view "AdvancedSetting" as
    select id, setting_id as settingid, time_zone as timezone, start_at as startat, end_at as endat,
        max_attempts as maxattempts, calling_days as callingdays, days_off as daysoff,
        max_concurrent_calls as maxconcurrentcalls
    from advanced_settings;

create view "ScriptSetting" as
    select id, setting_id as settingid, initial, follow_up as followup from script_settings;

create view "AgentSetting" as
    select id, setting_id as settingid, language, voice, first_message as firstmessage
    from agent_settings;

create view "Plan" as
    select id, name, price, minutes, duration, per_day as perday from plans;

create view "Subscription" as
    select id, user_id as userid, plan_id as planid, minutes_left as minutesleft, status,
        period_started_at as periodstartedat, period_ends_at as periodendsat
    from subscriptions;

create view "Conversation" as
    select id, user_id as userid, prospect_id as prospectid, status, slot as scheduledat, outcome,
        reason, notes, transcript, answered_at as startedat, ended_at as endedat,
        talk_secs as duration, created_at as createdat, updated_at as updatedat
    from conversations;
comment on view "Conversation" is 'For reading: planning creates conversations, and recording the outcome closes them.';

create view "Appointment" as
    select id, user_id as userid, prospect_id as prospectid, conversation_id as conversationid,
        appointment_time as appointmenttime, notes, created_at as createdat
    from appointments;

-- The views that the service's queries use. A view does not get the columns that a later migration adds to its table:
-- that migration replaces the view if a query needs them.

create view open_conversations as
    select id, user_id, prospect_id, sequence, status, slot, plan_run, run_id, earlier_runs,
        waiting_for_line_at, outcome, outcome_time, reason, notes, transcript, answered_at, ended_at,
        talk_secs, recorded_at, created_at, updated_at
    from conversations
    where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS');
comment on view open_conversations is 'Conversations that are planned or in progress.';

create view attempts as
    select distinct prospect_id, conversation_id from dials
    where sent_at is not null and (state <> 'NOT_PLACED' or rejection is not null);
comment on view attempts is 'Conversations in which the prospect was dialled, or the provider rejected the dial.';

create view callees as
    select p.id, p.user_id, p.name, p.phone, p.status, p.last_contacted, p.rescheduled_for,
        p.times_rescheduled, p.next_call_at, p.time_zone, p.state, p.notes, p.attempts_used_up,
        p.created_at, p.updated_at,
        exists (select 1 from suppressions s
            where canonical_phone(s.phone) = p.phone
                and (s.user_id is null or s.user_id = p.user_id)) as suppressed,
        exists (select 1 from open_conversations c where c.prospect_id = p.id) as has_open_conversation,
        (select count(*) from attempts a where a.prospect_id = p.id) as attempts,
        -- Numbers are compared in E.164 form; a prospect with any other text is not called.
        (select found.id from (
            select o.id from prospects o
            where canonical_phone(o.phone) = p.phone and o.user_id = p.user_id and o.id <> p.id
                and o.status in ('BOOKED', 'NOT_INTERESTED', 'DO_NOT_CALL')
            union all
            select d.prospect_id from dials d left join prospects o on o.id = d.prospect_id
            where d.phone = p.phone and d.sent_at is not null and d.state in ('SENT', 'PLACED')
                and d.user_id = p.user_id and d.prospect_id <> p.id
                and case when o.id is not null then o.status in ('BOOKED', 'NOT_INTERESTED', 'DO_NOT_CALL')
                    else exists (select 1 from conversations c where c.id = d.conversation_id
                        and c.outcome in ('APPOINTMENT_SET', 'NOT_INTERESTED', 'DO_NOT_CALL')) end
        ) found limit 1) as phone_closed_by,
        (select max(found.until) from (
            select greatest(o.next_call_at, case when o.status = 'RESCHEDULED' then o.rescheduled_for end) as until
            from prospects o
            where canonical_phone(o.phone) = p.phone and o.user_id = p.user_id and o.id <> p.id
            union all
            select coalesce(o.next_call_at, d.sent_at + interval '24 hours')
            from dials d left join prospects o on o.id = d.prospect_id
            where d.phone = p.phone and d.sent_at is not null and d.state in ('SENT', 'PLACED')
                and d.user_id = p.user_id and d.prospect_id <> p.id
        ) found) as phone_cools_down_until
    from prospects p;
comment on view callees is 'Prospects with what planning and admission read of them.';
comment on column callees.phone_closed_by is 'Another prospect of the user that has the number, or was dialled at it, and booked, declined or opted out. What a person has decided counts for each row of the user that has the number. A deleted prospect counts by its calls.';
comment on column callees.phone_cools_down_until is 'Until when the number cools down after calls to other prospects of the user: their cool-down, without one a day after the call, and the callbacks that they asked for.';
