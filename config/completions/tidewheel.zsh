#compdef tidewheel
# Made by `tidewheel generate zsh`.

_tidewheel_option()
{
    local -a rows
    rows=(
        'kafka.brokers=:Kafka'\''s bootstrap servers, host\:port with commas.'
        'kafka.group_id=:The consumer group; processes with the same one share the work.'
        'kafka.librdkafka.:Any property of librdkafka, by its own name, but for those that the worker owns.'
        'redis.url=:redis\://\[user\:password@\]host\[\:port\]\[/db\], rediss\:// for TLS, or unix\:///path/to/socket.'
        'redis.password_file=:The file that holds the password of redis.url'\''s user; empty\: redis.url has it, or there is none.'
        'redis.tls.ca_file=:PEM file of the CAs that may vouch for Redis, with rediss\://; empty\: the system'\''s.'
        'redis.tls.cert_file=:PEM file of the certificate that is shown to Redis, and of those between it and its CA; empty\: none.'
        'redis.tls.key_file=:PEM file of the private key of that certificate, without a passphrase.'
        'redis.allow_eviction=:Starts even if Redis has a maxmemory-policy by which keys may vanish without a trace.'
        'pipelines=:Pipeline files; patterns like *.yaml are expanded, relative to this file'\''s folder.'
        'workers=:Consumer threads, each a member of the group.'
        'flush.interval=:How long changes gather before they are written; 0ms\: as soon as the last write is answered.'
        'flush.entities_max=:Entities in one atomic write; more make throughput, and pauses for Redis'\''s other clients.'
        'checkpoint.interval=:How often state is saved in Redis, for a restart to go on from there; off\: it reads the log again.'
        'limits.event_bytes=:A larger event is rejected as too_big.'
        'limits.nesting=:An event that is nested more deeply is rejected as bad_json.'
        'limits.key_bytes=:An event whose entity has more raw bytes is rejected as key_too_long.'
        'limits.memory=:What the windows of all workers of the process may take together, shared equally among them.'
        'dead_letter.topic=:Where rejected events go, with their origin and reason; empty\: they are counted and dropped.'
        'on_error.empty=:What becomes of a record without a value\: drop counts it, dead_letter also sends it to dead_letter.topic, if one is named, stop ends the process before it.'
        'on_error.too_big=:What becomes of an event longer than limits.event_bytes; as on_error.empty.'
        'on_error.bad_json=:What becomes of a value that is not one JSON text; as on_error.empty.'
        'on_error.not_object=:What becomes of a value that is JSON, but no object; as on_error.empty.'
        'on_error.bad_timestamp=:What becomes of an event without a timestamp that can be read; as on_error.empty.'
        'on_error.no_key=:What becomes of an event that lacks a part of the entity'\''s key; as on_error.empty.'
        'on_error.key_too_long=:What becomes of an event whose key has more bytes than limits.key_bytes; as on_error.empty.'
        'on_error.future=:What becomes of an event that is dated further ahead than future_max; as on_error.empty.'
        'on_error.poison=:What becomes of an event that ended the process each time it was tried; as on_error.empty.'
        'http.listen=:host\:port of /metrics, /livez and /readyz; empty\: none. In use by another\: refused, but for the default, which is then done without.'
        'log.level=:What is logged to stderr\: this and what is worse.'
        'log.format=:logfmt, or one JSON object a line.'
        'shutdown_timeout=:How long SIGTERM may take to drain, write and commit.'
    )
    if compset -P '*='; then
        case ${IPREFIX%=} in
            (redis.password_file|*=redis.password_file) _files ;;
            (redis.tls.ca_file|*=redis.tls.ca_file) _files ;;
            (redis.tls.cert_file|*=redis.tls.cert_file) _files ;;
            (redis.tls.key_file|*=redis.tls.key_file) _files ;;
            (redis.allow_eviction|*=redis.allow_eviction) compadd -- true false ;;
            (pipelines|*=pipelines) _files ;;
            (checkpoint.interval|*=checkpoint.interval) compadd -- off ;;
            (on_error.empty|*=on_error.empty) compadd -- drop dead_letter stop ;;
            (on_error.too_big|*=on_error.too_big) compadd -- drop dead_letter stop ;;
            (on_error.bad_json|*=on_error.bad_json) compadd -- drop dead_letter stop ;;
            (on_error.not_object|*=on_error.not_object) compadd -- drop dead_letter stop ;;
            (on_error.bad_timestamp|*=on_error.bad_timestamp) compadd -- drop dead_letter stop ;;
            (on_error.no_key|*=on_error.no_key) compadd -- drop dead_letter stop ;;
            (on_error.key_too_long|*=on_error.key_too_long) compadd -- drop dead_letter stop ;;
            (on_error.future|*=on_error.future) compadd -- drop dead_letter stop ;;
            (on_error.poison|*=on_error.poison) compadd -- drop dead_letter stop ;;
            (log.level|*=log.level) compadd -- error warn info debug ;;
            (log.format|*=log.format) compadd -- text json ;;
        esac
    else
        _describe -t settings option rows -S ''
    fi
}

_tidewheel()
{
    local curcontext=$curcontext state line ret=1
    local -a commands
    commands=(
        'run:the worker\: events from Kafka in, features into Redis'
        'validate:all errors at once; prints what would be computed'
        'eval:events in, features out; no Kafka, no Redis'
        'test:a pipeline'\''s own tests\: events in, expected features out'
        'replay:reads history again, publishes what comes of it, and exits'
        'get:what Redis holds for an entity now, with its age'
        'state:what is saved of each partition\: owner, progress, lag, age'
        'stale:which entities of a view have not been written for a while'
        'print-config:the options as they are in effect, and where each came from'
        'healthcheck:asks the worker on this machine whether it is well'
        'list:what can be written in the files, and what is measured'
        'schema:the JSON Schema of a file, for editors'
        'generate:manual, completions, and a file of all options'
        'version:versions of tidewheel and of its libraries'
    )
    _arguments -C '(- *)--help[the commands]' '(- *)--version[the versions]' \
        '1: :->command' '*:: :->rest' && ret=0
    case $state in
    (command)
        _describe -t commands command commands && ret=0 ;;
    (rest)
        case $words[1] in
        (run)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' && ret=0 ;;
        (validate)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' \
                '*:\[PIPELINE...\]:_files' && ret=0 ;;
        (eval)
            _arguments -S '--help[what it does]' \
                '(-e --events)'{-e+,--events=}'[events, one JSON object a line; default, and -\: standard input]:FILE:_files' \
                --at='[as of when\: Unix ms, RFC 3339, end (the default), or each event]:TIME|end|each:(end each)' \
                '*:PIPELINE...:_files' && ret=0 ;;
        (test)
            _arguments -S '--help[what it does]' \
                '*:\[FILE...\]:_files' && ret=0 ;;
        (replay)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' \
                --from='[where to begin\: earliest (the default), Unix ms, or RFC 3339]:earliest|TIME:(earliest)' \
                --until='[where to end\: end (the default), or before the first record of that time]:end|TIME:(end)' && ret=0 ;;
        (get)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' \
                '*:VIEW key=value...: ' && ret=0 ;;
        (state)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' && ret=0 ;;
        (stale)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' \
                --older-than='[how long nothing has come, like 1h or 2d]:DURATION: ' \
                --by='[the age of what\: of the last write (the default), or of the newest event]:write|event:(write event)' \
                --limit='[stops after so many lines]:N: ' \
                '1:VIEW: ' && ret=0 ;;
        (print-config)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' && ret=0 ;;
        (healthcheck)
            _arguments -S '--help[what it does]' \
                '(-c --config)'{-c+,--config=}'[the configuration; default\: config/tidewheel.yaml if it is there]:FILE:_files' \
                '*'{-s+,--set=}'[sets one option, like -s workers=4; beats environment and file]:path=value:_tidewheel_option' \
                '*'{-X+,--property=}'[sets a property of librdkafka, like -X debug=cgrp]:name=value: ' \
                '1:\[live|ready\]:(live ready)' && ret=0 ;;
        (list)
            _arguments -S '--help[what it does]' \
                '1:aggregates|options|metrics:(aggregates options metrics)' && ret=0 ;;
        (schema)
            _arguments -S '--help[what it does]' \
                '1:\[config|pipeline\]:(config pipeline)' && ret=0 ;;
        (generate)
            _arguments -S '--help[what it does]' \
                '1:man|bash|zsh|fish|reference:(man bash zsh fish reference)' && ret=0 ;;
        (version)
            _arguments -S '--help[what it does]' && ret=0 ;;
        esac ;;
    esac
    return ret
}

if [[ $funcstack[1] == _tidewheel ]]; then
    _tidewheel "$@"
else
    compdef _tidewheel tidewheel
fi
