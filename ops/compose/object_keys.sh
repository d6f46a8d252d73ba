#!/bin/sh
# Makes the keys for the object store of compose.cluster.yaml, once: one that makes the bucket and writes, one that only reads.
set -eu
folder="${1:-secrets}"
mkdir -p "$folder"
set -o noclobber

identity() { # role, secret, what it may do
    printf '{"name":"crypto_%s","credentials":[{"accessKey":"crypto_%s","secretKey":"%s"}],"actions":[%s]}' "$1" "$1" "$2" "$3"
}

writer="$(openssl rand -hex 20)"
reader="$(openssl rand -hex 20)"
printf '{"identities":[%s,%s]}\n' \
    "$(identity writer "$writer" '"Admin"')" \
    "$(identity reader "$reader" '"Read:crypto","List:crypto"')" >"$folder/object_keys"
chmod 644 "$folder/object_keys" # read inside the container by its own user, as secrets/api_token
umask 077
printf 'AWS_ACCESS_KEY_ID=crypto_writer\nAWS_SECRET_ACCESS_KEY=%s\n' "$writer" >"$folder/object_writer.env"
printf 'AWS_ACCESS_KEY_ID=crypto_reader\nAWS_SECRET_ACCESS_KEY=%s\n' "$reader" >"$folder/object_reader.env"
