#!/bin/sh
# The contract of the official image: /etc/nginx/templates go through envsubst, then /docker-entrypoint.d runs, then the command.
set -eu

fill_templates() {
  from=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
  to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
  suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
  [ -d "$from" ] || return 0
  # Only names that are set are replaced, so that nginx's own $variables stay.
  known=$(awk 'BEGIN { for (name in ENVIRON) if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/) printf "${%s} ", name }')
  find "$from" -follow -type f -name "*$suffix" | while read -r file; do
    target=$to/${file#"$from"/}
    mkdir -p "$(dirname "$target")"
    envsubst "$known" <"$file" >"${target%"$suffix"}"
  done
}

case "${1:-}" in
  nginx | nginx-debug)
    fill_templates
    for script in /docker-entrypoint.d/*.sh; do
      [ ! -x "$script" ] || "$script"
    done
    ;;
esac
exec "$@"
