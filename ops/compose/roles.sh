#!/bin/sh
# Runs once, in the empty PostgreSQL of compose.cluster.yaml: a role that writes, one that only reads, and their database.
# Their passwords are those of the URLs in the secrets.
set -eu
folder="${SECRETS_FOLDER:-/run/secrets}"

password() { sed -E 's|^postgres(ql)?://[^:]+:([^@]+)@.*$|\2|' "$folder/$1"; }

psql --username "${POSTGRES_USER:-postgres}" --dbname postgres --set ON_ERROR_STOP=1 \
    --set writer="$(password database_url)" --set reader="$(password database_read_url)" <<'SQL'
CREATE ROLE crypto_writer LOGIN PASSWORD :'writer';
CREATE ROLE crypto_reader LOGIN PASSWORD :'reader';
CREATE DATABASE crypto OWNER crypto_writer;
SQL
