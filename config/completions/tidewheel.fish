# fish completion for tidewheel. Made by `tidewheel generate fish`.

function __tidewheel_options
    printf '%s\t%s\n' kafka.brokers= 'Kafka\'s bootstrap servers, host:port with commas.'
    printf '%s\t%s\n' kafka.group_id= 'The consumer group; processes with the same one share the work.'
    printf '%s\t%s\n' kafka.librdkafka. 'Any property of librdkafka, by its own name, but for those that the worker owns.'
    printf '%s\t%s\n' redis.url= 'redis://[user:password@]host[:port][/db], rediss:// for TLS, or unix:///path/to/socket.'
    printf '%s\t%s\n' redis.password_file= 'The file that holds the password of redis.url\'s user; empty: redis.url has it, or there is none.'
    printf '%s\t%s\n' redis.tls.ca_file= 'PEM file of the CAs that may vouch for Redis, with rediss://; empty: the system\'s.'
    printf '%s\t%s\n' redis.tls.cert_file= 'PEM file of the certificate that is shown to Redis, and of those between it and its CA; empty: none.'
    printf '%s\t%s\n' redis.tls.key_file= 'PEM file of the private key of that certificate, without a passphrase.'
    printf '%s\t%s\n' redis.allow_eviction= 'Starts even if Redis has a maxmemory-policy by which keys may vanish without a trace.'
    printf '%s\n' redis.allow_eviction=true
    printf '%s\n' redis.allow_eviction=false
    printf '%s\t%s\n' pipelines= 'Pipeline files; patterns like *.yaml are expanded, relative to this file\'s folder.'
    printf '%s\t%s\n' workers= 'Consumer threads, each a member of the group.'
    printf '%s\t%s\n' flush.interval= 'How long changes gather before they are written; 0ms: as soon as the last write is answered.'
    printf '%s\t%s\n' flush.entities_max= 'Entities in one atomic write; more make throughput, and pauses for Redis\'s other clients.'
    printf '%s\t%s\n' checkpoint.interval= 'How often state is saved in Redis, for a restart to go on from there; off: it reads the log again.'
    printf '%s\n' checkpoint.interval=off
    printf '%s\t%s\n' limits.event_bytes= 'A larger event is rejected as too_big.'
    printf '%s\t%s\n' limits.nesting= 'An event that is nested more deeply is rejected as bad_json.'
    printf '%s\t%s\n' limits.key_bytes= 'An event whose entity has more raw bytes is rejected as key_too_long.'
    printf '%s\t%s\n' limits.memory= 'What the windows of all workers of the process may take together, shared equally among them.'
    printf '%s\t%s\n' dead_letter.topic= 'Where rejected events go, with their origin and reason; empty: they are counted and dropped.'
    printf '%s\t%s\n' on_error.empty= 'What becomes of a record without a value: drop counts it, dead_letter also sends it to dead_letter.topic, if one is named, stop ends the process before it.'
    printf '%s\n' on_error.empty=drop
    printf '%s\n' on_error.empty=dead_letter
    printf '%s\n' on_error.empty=stop
    printf '%s\t%s\n' on_error.too_big= 'What becomes of an event longer than limits.event_bytes; as on_error.empty.'
    printf '%s\n' on_error.too_big=drop
    printf '%s\n' on_error.too_big=dead_letter
    printf '%s\n' on_error.too_big=stop
    printf '%s\t%s\n' on_error.bad_json= 'What becomes of a value that is not one JSON text; as on_error.empty.'
    printf '%s\n' on_error.bad_json=drop
    printf '%s\n' on_error.bad_json=dead_letter
    printf '%s\n' on_error.bad_json=stop
    printf '%s\t%s\n' on_error.not_object= 'What becomes of a value that is JSON, but no object; as on_error.empty.'
    printf '%s\n' on_error.not_object=drop
    printf '%s\n' on_error.not_object=dead_letter
    printf '%s\n' on_error.not_object=stop
    printf '%s\t%s\n' on_error.bad_timestamp= 'What becomes of an event without a timestamp that can be read; as on_error.empty.'
    printf '%s\n' on_error.bad_timestamp=drop
    printf '%s\n' on_error.bad_timestamp=dead_letter
    printf '%s\n' on_error.bad_timestamp=stop
    printf '%s\t%s\n' on_error.no_key= 'What becomes of an event that lacks a part of the entity\'s key; as on_error.empty.'
    printf '%s\n' on_error.no_key=drop
    printf '%s\n' on_error.no_key=dead_letter
    printf '%s\n' on_error.no_key=stop
    printf '%s\t%s\n' on_error.key_too_long= 'What becomes of an event whose key has more bytes than limits.key_bytes; as on_error.empty.'
    printf '%s\n' on_error.key_too_long=drop
    printf '%s\n' on_error.key_too_long=dead_letter
    printf '%s\n' on_error.key_too_long=stop
    printf '%s\t%s\n' on_error.future= 'What becomes of an event that is dated further ahead than future_max; as on_error.empty.'
    printf '%s\n' on_error.future=drop
    printf '%s\n' on_error.future=dead_letter
    printf '%s\n' on_error.future=stop
    printf '%s\t%s\n' on_error.poison= 'What becomes of an event that ended the process each time it was tried; as on_error.empty.'
    printf '%s\n' on_error.poison=drop
    printf '%s\n' on_error.poison=dead_letter
    printf '%s\n' on_error.poison=stop
    printf '%s\t%s\n' http.listen= 'host:port of /metrics, /livez and /readyz; empty: none. In use by another: refused, but for the default, which is then done without.'
    printf '%s\t%s\n' log.level= 'What is logged to stderr: this and what is worse.'
    printf '%s\n' log.level=error
    printf '%s\n' log.level=warn
    printf '%s\n' log.level=info
    printf '%s\n' log.level=debug
    printf '%s\t%s\n' log.format= 'logfmt, or one JSON object a line.'
    printf '%s\n' log.format=text
    printf '%s\n' log.format=json
    printf '%s\t%s\n' shutdown_timeout= 'How long SIGTERM may take to drain, write and commit.'
end

complete -c tidewheel -n __fish_use_subcommand -f -l help -d 'the commands'
complete -c tidewheel -n __fish_use_subcommand -f -l version -d 'the versions'

complete -c tidewheel -n __fish_use_subcommand -f -a run -d 'the worker: events from Kafka in, features into Redis'
complete -c tidewheel -n '__fish_seen_subcommand_from run' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from run' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from run' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from run' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from run' -f

complete -c tidewheel -n __fish_use_subcommand -f -a validate -d 'all errors at once; prints what would be computed'
complete -c tidewheel -n '__fish_seen_subcommand_from validate' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from validate' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from validate' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from validate' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from validate' -F

complete -c tidewheel -n __fish_use_subcommand -f -a eval -d 'events in, features out; no Kafka, no Redis'
complete -c tidewheel -n '__fish_seen_subcommand_from eval' -s e -l events -rF -d 'events, one JSON object a line; default, and -: standard input'
complete -c tidewheel -n '__fish_seen_subcommand_from eval' -l at -x -a 'end each' -d 'as of when: Unix ms, RFC 3339, end (the default), or each event'
complete -c tidewheel -n '__fish_seen_subcommand_from eval' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from eval' -F

complete -c tidewheel -n __fish_use_subcommand -f -a test -d 'a pipeline\'s own tests: events in, expected features out'
complete -c tidewheel -n '__fish_seen_subcommand_from test' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from test' -F

complete -c tidewheel -n __fish_use_subcommand -f -a replay -d 'reads history again, publishes what comes of it, and exits'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -l from -x -a 'earliest' -d 'where to begin: earliest (the default), Unix ms, or RFC 3339'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -l until -x -a 'end' -d 'where to end: end (the default), or before the first record of that time'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from replay' -f

complete -c tidewheel -n __fish_use_subcommand -f -a get -d 'what Redis holds for an entity now, with its age'
complete -c tidewheel -n '__fish_seen_subcommand_from get' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from get' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from get' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from get' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from get' -f

complete -c tidewheel -n __fish_use_subcommand -f -a state -d 'what is saved of each partition: owner, progress, lag, age'
complete -c tidewheel -n '__fish_seen_subcommand_from state' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from state' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from state' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from state' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from state' -f

complete -c tidewheel -n __fish_use_subcommand -f -a stale -d 'which entities of a view have not been written for a while'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -l older-than -x -d 'how long nothing has come, like 1h or 2d'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -l by -x -a 'write event' -d 'the age of what: of the last write (the default), or of the newest event'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -l limit -x -d 'stops after so many lines'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from stale' -f

complete -c tidewheel -n __fish_use_subcommand -f -a print-config -d 'the options as they are in effect, and where each came from'
complete -c tidewheel -n '__fish_seen_subcommand_from print-config' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from print-config' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from print-config' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from print-config' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from print-config' -f

complete -c tidewheel -n __fish_use_subcommand -f -a healthcheck -d 'asks the worker on this machine whether it is well'
complete -c tidewheel -n '__fish_seen_subcommand_from healthcheck' -s c -l config -rF -d 'the configuration; default: config/tidewheel.yaml if it is there'
complete -c tidewheel -n '__fish_seen_subcommand_from healthcheck' -s s -l set -x -a '(__tidewheel_options)' -d 'sets one option, like -s workers=4; beats environment and file'
complete -c tidewheel -n '__fish_seen_subcommand_from healthcheck' -s X -l property -x -d 'sets a property of librdkafka, like -X debug=cgrp'
complete -c tidewheel -n '__fish_seen_subcommand_from healthcheck' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from healthcheck' -f -a 'live ready'

complete -c tidewheel -n __fish_use_subcommand -f -a list -d 'what can be written in the files, and what is measured'
complete -c tidewheel -n '__fish_seen_subcommand_from list' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from list' -f -a 'aggregates options metrics'

complete -c tidewheel -n __fish_use_subcommand -f -a schema -d 'the JSON Schema of a file, for editors'
complete -c tidewheel -n '__fish_seen_subcommand_from schema' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from schema' -f -a 'config pipeline'

complete -c tidewheel -n __fish_use_subcommand -f -a generate -d 'manual, completions, and a file of all options'
complete -c tidewheel -n '__fish_seen_subcommand_from generate' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from generate' -f -a 'man bash zsh fish reference'

complete -c tidewheel -n __fish_use_subcommand -f -a version -d 'versions of tidewheel and of its libraries'
complete -c tidewheel -n '__fish_seen_subcommand_from version' -l help -d 'what it does'
complete -c tidewheel -n '__fish_seen_subcommand_from version' -f
