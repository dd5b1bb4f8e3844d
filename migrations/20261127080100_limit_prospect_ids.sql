-- The id of a prospect becomes part of addresses, headers and file names, which have limits of their own.

alter table prospects add constraint prospects_id_form check (
    octet_length(id) <= case when id ~ '^[A-Za-z0-9._~-]*$' then 64 else 40 end
    and id !~ '[\u0001-\u001f\u007f-\u009f\ufffd]'
) not valid;
comment on column prospects.id is 'At most 64 letters, digits and -._~, or at most 40 bytes with other characters; no control characters.';
