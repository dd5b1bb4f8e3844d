#!/bin/sh
# Creates the roles and databases on a new volume of PostgreSQL. Its image runs this once, before it listens.
#
#   temporal       owns Temporal's databases
#   calls_owner    owns the database of the service and applies its migrations
#   calls          is the role of the worker: `worker migrate --grant-to calls` lets it read and write rows, no more
set -eu

psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
    --set temporal="$POSTGRES_TEMPORAL_PASSWORD" --set owner="$POSTGRES_OWNER_PASSWORD" --set service="$POSTGRES_CALLS_PASSWORD" <<'SQL'
create role temporal login password :'temporal';
create role calls_owner login password :'owner';
create role calls login password :'service';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
create database calls owner calls_owner;
revoke connect, temporary on database temporal, temporal_visibility, calls from public;
grant connect on database calls to calls;
SQL
