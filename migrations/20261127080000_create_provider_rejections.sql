-- Rejections by the provider that concern a user's settings or the account: they cost no prospect anything, and pause.

alter table dials add column rejection_concerns_settings boolean not null default false;
comment on column dials.rejection_concerns_settings is 'Whether the rejection concerns the user''s settings or the account, not the prospect: then the dial counts as never sent.';

create table provider_rejections (
    user_id text constraint provider_rejections_user_fk references users on delete cascade,
    in_a_row integer not null constraint provider_rejections_in_a_row_positive check (in_a_row > 0),
    users text[] not null,
    last_dial_id text not null,
    detail text not null,
    rejected_at timestamptz not null,
    trial_at timestamptz,
    trial_conversation_id text,
    constraint provider_rejections_once unique nulls not distinct (user_id)
);
comment on table provider_rejections is 'Calls that the provider has rejected in a row because of the user''s settings or the account. Deleted when it accepts a call, and when the user''s settings change.';
comment on column provider_rejections.user_id is 'The user; null: all users together.';
comment on column provider_rejections.users is 'The users whose calls were rejected.';
comment on column provider_rejections.last_dial_id is 'The dial that was rejected last. Its repetitions count once.';
comment on column provider_rejections.detail is 'The provider''s words.';
comment on column provider_rejections.trial_at is 'Calls are paused, and a trial call may be made from this time; null: not paused.';
comment on column provider_rejections.trial_conversation_id is 'The trial call that was admitted last.';

-- Another voice or script may be accepted: the next call is made as usual.
create function delete_rejections_of_settings() returns trigger language plpgsql as $$
begin
    delete from provider_rejections r using settings t where t.id = new.setting_id and r.user_id = t.user_id;
    return null;
end $$;
create trigger agent_settings_delete_rejections after insert or update on agent_settings
    for each row execute function delete_rejections_of_settings();
create trigger script_settings_delete_rejections after insert or update on script_settings
    for each row execute function delete_rejections_of_settings();
