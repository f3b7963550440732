"""What images are known to be: stores, databases, agents, proxies, and apps of which only one may run."""

from __future__ import annotations

import re


def word_set(text: str) -> frozenset[str]:
    """The words of a text, for sets that read better as text."""
    return frozenset(text.split())


# Stores that hold an app's records, so that the app itself holds none.
DATABASES = word_set(
    "postgres postgresql pgvector postgis timescaledb timescaledb-ha pgvecto-rs vchord-postgres paradedb mysql mariadb"
    " percona mongo mongodb cassandra scylla couchdb couchbase clickhouse influxdb neo4j surrealdb cockroach mssql"
    " oracle oracle-free oracle-xe rqlite arangodb rethinkdb ferretdb documentdb libsql-server edgedb gel tidb"
    " foundationdb questdb memgraph tarantool immudb tigerbeetle dgraph orientdb firebird falkordb mongodb-community"
)
_OTHER_STORES = word_set(
    "redis redis-stack redismod valkey keydb dragonfly kvrocks memcached rabbitmq kafka redpanda zookeeper nats"
    " elasticsearch opensearch clickhouse-keeper victoria-metrics victoria-logs prometheus loki mimir tempo minio"
    " rustfs garage seaweedfs meilisearch typesense qdrant weaviate milvus chroma etcd manticore solr activemq"
    " activemq-artemis emqx mosquitto vespa pulsar beanstalkd openldap vault openbao consul zincsearch localstack"
    " elasticmq sonic eclipse-mosquitto"
)
STORES = DATABASES | _OTHER_STORES
# Services with these names are stores when they build their own image.
_STORE_SERVICES = STORES | word_set("db database cache pg psql mdb mq broker")
_DATABASE_SERVICES = DATABASES | word_set("db database pg psql")

# The path inside a registry says it where the last word does not.
_STORE_PATHS_OF_IMAGES = word_set("mssql/server database/free database/express database/enterprise")

_STORE_SUFFIX = re.compile(
    r"-(server|alpine|cluster|ha|ce|oss|enterprise|community|single|standalone|vector|stack|debian|ubi|slim|standard"
    r"|free|xe|edge|lts|primary|replica|master|node|sentinel|all-in-one|bundle|self-hosted|quickstart)$"
)
_NOT_A_STORE = re.compile(
    r"(exporter|insight|commander|express|admin|ui|web|console|adapter|operator|backups?|dashboard|dump|proxy|client"
    r"|migrations?|migrate|gui|manager|browser|explorer)$"
)

_STORE_PATH = re.compile(
    r"/var/lib/(postgresql|mysql|clickhouse|rabbitmq|cassandra|scylla|couchdb|influxdb|influxdb2|neo4j|redis|kafka"
    r"|zookeeper|meilisearch|arangodb3|etcd|mongodb|milvus|questdb|typesense)(/.*)?"
    r"|/data/(db|configdb)"
    r"|/bitnami/(postgresql|mysql|mariadb|mongodb|redis|valkey|kafka|zookeeper|cassandra|rabbitmq|elasticsearch|etcd)"
    r"(/.*)?"
    r"|/usr/share/(elasticsearch|opensearch)/data(/.*)?"
    r"|/qdrant/storage|/meili_data|/home/postgres/pgdata(/.*)?|/var/opt/mssql(/.*)?"
)

# Ports that only databases and brokers speak on. 8123, 9200 and 8086 are left out: other programs use them too.
WIRE_PORTS = frozenset({3306, 33060, 5432, 6379, 6380, 27017, 27018, 9092, 5672, 11211, 1433, 1521, 9042, 26257, 3310})
_FAMILY_PORTS = {
    5432: word_set(
        "postgres postgresql pgvector postgis timescaledb timescaledb-ha paradedb pgvecto-rs vchord-postgres"
    ),
    3306: word_set("mysql mariadb percona"),
    6379: word_set("redis redis-stack redismod valkey keydb dragonfly"),
    27017: word_set("mongo mongodb mongodb-community"),
    11211: word_set("memcached"),
    5672: word_set("rabbitmq"),
    9200: word_set("elasticsearch opensearch"),
    9000: word_set("minio"),
    4222: word_set("nats"),
    9092: word_set("kafka"),
}

_INFRA = word_set(
    "node-exporter cadvisor watchtower docker-socket-proxy socket-proxy cloudflared tailscale wireguard wg-easy"
    " gluetun openvpn openvpn-as zerotier netdata promtail fluentd fluent-bit vector telegraf alloy agent autoheal"
    " docker-autoheal diun restic resticker borgmatic duplicati docker-volume-backup ddns-updater cloudflare-ddns"
    " duckdns newt ngrok frpc frps crowdsec glances opentelemetry-collector opentelemetry-collector-contrib"
    " opentelemetry-collector-k8s dozzle-agent beszel-agent filebeat metricbeat logstash logspout autossh keepalived"
    " nut docker-gc shepherd pgbackrest pgbackups postgres-backup-local postgres-backup-s3 mysql-backup certbot"
    " acme-companion nginx-proxy-acme rclone gost wstunnel scrutiny-collector datadog-agent newrelic-infrastructure"
)
_INFRA_ENDING = re.compile(r"(-|_)(exporter|backup|backups|tunnel|vpn)$")

_PROXIES = word_set(
    "nginx nginx-unprivileged openresty caddy traefik haproxy httpd envoy nginx-proxy kong apisix"
    " nginx-proxy-manager caddy-docker-proxy swag angie freenginx tengine"
)

_SINGLE = word_set(
    "nextcloud owncloud ocis weblate gitea forgejo gogs gitlab gitlab-ce gitlab-ee azuracast home-assistant"
    " homeassistant plex pms-docker jellyfin emby embyserver minecraft minecraft-server minecraft-bedrock-server"
    " satisfactory satisfactory-server valheim valheim-server palworld palworld-server-docker synapse dendrite"
    " dendrite-monolith conduit matrix-conduit jenkins nexus nexus3 sonarqube jira jira-software confluence"
    " confluence-server artifactory artifactory-oss artifactory-jcr teamcity teamcity-server icecast owncast mediamtx"
    " asterisk freepbx stalwart mail-server mailserver docker-mailserver poste poste.io mailcow node-red n8n"
    " zigbee2mqtt esphome frigate qbittorrent transmission deluge sabnzbd code-server kasm workspaces webtop wazuh"
    " graylog wordpress matomo"
)

# Hosts that anybody pulls from; an image from elsewhere is the user's own.
_PUBLIC_REGISTRIES = word_set(
    "docker.io index.docker.io registry-1.docker.io registry.hub.docker.com ghcr.io quay.io gcr.io lscr.io"
    " mcr.microsoft.com public.ecr.aws registry.k8s.io k8s.gcr.io docker.elastic.co registry.gitlab.com codeberg.org"
    " container-registry.oracle.com docker.n8n.io docker.getoutline.com cr.weaviate.io docker.redpanda.com"
    " docker.dragonflydb.io nvcr.io code.forgejo.org data.forgejo.org registry.access.redhat.com"
    " container.registry.gitlab.com ollama.com docker.io.library"
)

_ONE_SHOT_IMAGES = word_set("mc busybox curl minio-client flyway liquibase")
_SCHEDULER_IMAGES = word_set("ofelia supercronic swarm-cronjob docker-cron chadburn")


def image_path(image: str) -> str:
    """The image's name without registry, tag and digest: `bitnami/postgresql`."""
    name = image.partition("@")[0].lower()
    head, slash, tail = name.rpartition("/")
    name = head + slash + tail.partition(":")[0]
    return name.removeprefix(registry(image) + "/") if registry(image) else name


def registry(image: str) -> str:
    """The registry's host as written, "" when the image names none."""
    first, slash, _ = image.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return first.lower() if is_host else ""


def basename(image: str) -> str:
    return image_path(image).rpartition("/")[2]


def stem(image: str) -> str:
    """What kind of program the image holds, as far as its name tells: `bitnami/redis-cluster:7` is redis."""
    path = image_path(image)
    return "mssql" if path.endswith("mssql/server") else _stem(basename(image))


def is_private(image: str) -> bool:
    """From a registry of the user's own."""
    host = registry(image)
    return bool(host) and host not in _PUBLIC_REGISTRIES


def is_store(image: str) -> bool:
    path = image_path(image)
    if path.endswith(tuple(_STORE_PATHS_OF_IMAGES)):
        return True
    return _matches(basename(image), STORES) or _is_db_named(basename(image))


def is_database(image: str) -> bool:
    path = image_path(image)
    if path.endswith(tuple(_STORE_PATHS_OF_IMAGES)):
        return True
    return _matches(basename(image), DATABASES) or _is_db_named(basename(image))


def is_store_service(name: str) -> bool:
    return _matches(name.lower(), _STORE_SERVICES)


def is_database_service(name: str) -> bool:
    return _matches(name.lower(), _DATABASE_SERVICES)


def is_store_path(target: str) -> bool:
    return _STORE_PATH.fullmatch(target.rstrip("/")) is not None


def looks_beside_a_store(name: str) -> bool:
    """The name of something that works on a store but is none: an exporter, an admin page, a backup."""
    return _NOT_A_STORE.search(name.lower()) is not None


def only_reads(name: str) -> bool:
    """The name of something that copies or measures what another program writes."""
    return re.search(r"(exporter|backups?|dump)$", name.lower()) is not None


def wire_port(image: str) -> int:
    """The port this kind of store listens on unless told otherwise; 0 when not known."""
    stem = _stem(basename(image))
    return next((port for port, names in _FAMILY_PORTS.items() if stem in names), 0)


def is_infra(image: str) -> bool:
    name = basename(image)
    return name in _INFRA or _INFRA_ENDING.search(name) is not None


def is_proxy(image: str) -> bool:
    return basename(image) in _PROXIES


def is_single_instance(image: str) -> bool:
    return basename(image) in _SINGLE


def is_one_shot(image: str) -> bool:
    return basename(image) in _ONE_SHOT_IMAGES


def is_scheduler(image: str) -> bool:
    return basename(image) in _SCHEDULER_IMAGES


def _matches(name: str, known: frozenset[str]) -> bool:
    if looks_beside_a_store(name):
        return False
    return name in known or _stem(name) in known


def _stem(name: str) -> str:
    """The name without the usual endings: `redis-stack-server` is `redis`."""
    shorter = _STORE_SUFFIX.sub("", name)
    while shorter != name:
        name, shorter = shorter, _STORE_SUFFIX.sub("", shorter)
    return name


def _is_db_named(name: str) -> bool:
    return name.endswith("-db") and not looks_beside_a_store(name.removesuffix("-db"))
