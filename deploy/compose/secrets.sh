#!/bin/sh
# Makes the secrets that docker-compose.yml names, once; a file that is there is kept. Run it again at any time.
# Another folder: sh secrets.sh FOLDER
set -eu

folder=${1:-$(dirname "$0")/secrets}
# Only the owner may enter the folder. The files in it can be read by all, because Compose mounts each as it is into
# a container whose user is another one; nobody else on this machine gets past the folder.
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

random() { # as many bytes, hexadecimal
  od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

make() { # a file from standard input, whole or not at all
  if [ -e "$folder/$1" ]; then
    echo "kept  $folder/$1"
    return
  fi
  cat > "$folder/.new"
  chmod 444 "$folder/.new"
  mv "$folder/.new" "$folder/$1"
  echo "made  $folder/$1"
}

random 24 | make postgres_password
printf 'requirepass %s\n' "$(random 24)" | make redis_conf
printf 'postgresql+psycopg://assay:%s@postgres:5432/assay\n' "$(cat "$folder/postgres_password")" |
  make assay_database_url
printf 'redis://:%s@redis:6379/0\n' "$(sed -n 's/^requirepass //p' "$folder/redis_conf")" | make assay_redis_url
printf 'assay_%s_%s\n' "$(random 6)" "$(random 32 | cut -c1-43)" | make first_api_key
# Of the digests that stay where the policy keeps no text.
random 32 | make assay_digest_key
random 16 | make grafana_admin_password # used once, at Grafana's first start
random 32 | make grafana_secret_key
# Keys of the endpoints that the policy's judge and generator name; empty where they want none. To set one:
#   printf %s "$KEY" | install -m 444 /dev/stdin deploy/compose/secrets/assay_judge_api_key
make assay_judge_api_key < /dev/null
make assay_generator_api_key < /dev/null
# The salt is what makes this file a secret: who knows it can choose ids that are never sampled.
printf '[sampling]\nrate = 0.05\nsalt = "%s"\n' "$(random 16)" | make policy
