-- A suppression that matches no number, or no user, would be ignored: it is refused.

create function is_canonical_phone(phone text) returns boolean language sql immutable parallel safe
return phone ~ '^[0-9+(). /-]*$'
    and canonical_phone(phone) ~ '^[+][1-9][0-9]{6,14}$'
    -- Without a country code only a number of North America can be told from others.
    and (
        phone ~ '^\s*([+]|00)'
        or regexp_replace(phone, '[^0-9]', '', 'g') ~ '^1?[2-9][0-9]{9}$'
    );
comment on function is_canonical_phone(text) is 'Whether canonical_phone finds the number that people mean.';

create function check_suppression() returns trigger language plpgsql as $$
begin
    new.phone := btrim(new.phone, E' \t\r\n\u00a0');
    if not is_canonical_phone(new.phone) then
        raise exception 'suppressions.phone % is no telephone number', quote_literal(new.phone)
            using errcode = 'check_violation', constraint = 'suppressions_phone_is_number',
            hint = 'Write it with its country code, such as +12125550123, without an extension.';
    end if;
    if new.user_id is not null and not exists (select 1 from users where id = new.user_id) then
        raise exception 'suppressions.user_id % is the id of no user', quote_literal(new.user_id)
            using errcode = 'foreign_key_violation', constraint = 'suppressions_user_exists',
            hint = 'Use an id of the table users, or null for all users.';
    end if;
    return new;
end $$;
create trigger suppressions_check before insert or update of phone, user_id on suppressions
    for each row execute function check_suppression();
