#!/bin/sh
# Brings the tables of Temporal to the version of its server. Changes nothing if they have it.
set -eu

setup() {
    tool="temporal-sql-tool --plugin postgres12 --ep postgres --port 5432 --user temporal --db $1"
    $tool setup-schema -v 0.0
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

setup temporal temporal
setup temporal_visibility visibility
