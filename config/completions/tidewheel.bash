# bash completion for tidewheel. Made by `tidewheel generate bash`.

# WORDS CURRENT: answers with those that begin so.
_tidewheel_words()
{
    local IFS=$' \n'
    COMPREPLY=($(compgen -W "$1" -P "$before" -- "$2"))
}

# CURRENT: answers with files.
_tidewheel_files()
{
    local IFS=$'\n'
    COMPREPLY=($(compgen -f -P "$before" -- "$1"))
    compopt -o filenames 2>/dev/null
}

# CURRENT: answers with options, or what may stand behind option=.
_tidewheel_option()
{
    local value=${1#*=}
    if [[ $1 != *=* ]]; then
        _tidewheel_words "$_tidewheel_options" "$1"
        compopt -o nospace 2>/dev/null
        return
    fi
    [[ $COMP_WORDBREAKS == *=* ]] || before+=${1%%=*}=
    case ${1%%=*} in
        redis.password_file) _tidewheel_files "$value" ;;
        redis.tls.ca_file) _tidewheel_files "$value" ;;
        redis.tls.cert_file) _tidewheel_files "$value" ;;
        redis.tls.key_file) _tidewheel_files "$value" ;;
        redis.allow_eviction) _tidewheel_words "true false" "$value" ;;
        pipelines) _tidewheel_files "$value" ;;
        checkpoint.interval) _tidewheel_words "off" "$value" ;;
        on_error.empty) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.too_big) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.bad_json) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.not_object) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.bad_timestamp) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.no_key) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.key_too_long) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.future) _tidewheel_words "drop dead_letter stop" "$value" ;;
        on_error.poison) _tidewheel_words "drop dead_letter stop" "$value" ;;
        log.level) _tidewheel_words "error warn info debug" "$value" ;;
        log.format) _tidewheel_words "text json" "$value" ;;
    esac
}

_tidewheel_options="kafka.brokers=
    kafka.group_id=
    kafka.librdkafka.
    redis.url=
    redis.password_file=
    redis.tls.ca_file=
    redis.tls.cert_file=
    redis.tls.key_file=
    redis.allow_eviction=
    pipelines=
    workers=
    flush.interval=
    flush.entities_max=
    checkpoint.interval=
    limits.event_bytes=
    limits.nesting=
    limits.key_bytes=
    limits.memory=
    dead_letter.topic=
    on_error.empty=
    on_error.too_big=
    on_error.bad_json=
    on_error.not_object=
    on_error.bad_timestamp=
    on_error.no_key=
    on_error.key_too_long=
    on_error.future=
    on_error.poison=
    http.listen=
    log.level=
    log.format=
    shutdown_timeout="

_tidewheel_commands="run validate eval test replay get state stale print-config healthcheck list schema generate version"

_tidewheel()
{
    local words=() before= word current flag i
    COMPREPLY=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#words[@]})) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == [=:] ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
    done
    current=${words[${#words[@]} - 1]}
    if ((${#words[@]} == 1)); then
        _tidewheel_words "$_tidewheel_commands --help --version" "$current"
        return
    fi
    flag=${words[${#words[@]} - 2]}
    if [[ $current == --*=* ]]; then
        flag=${current%%=*}
        [[ $COMP_WORDBREAKS == *=* ]] || before=$flag=
        current=${current#*=}
    fi
    case $flag in
        -c | --config) _tidewheel_files "$current"; return ;;
        -s | --set) _tidewheel_option "$current"; return ;;
        -X | --property) :; return ;;
        -e | --events) _tidewheel_files "$current"; return ;;
        --at) _tidewheel_words "end each" "$current"; return ;;
        --older-than) :; return ;;
        --by) _tidewheel_words "write event" "$current"; return ;;
        --limit) :; return ;;
        --from) _tidewheel_words "earliest" "$current"; return ;;
        --until) _tidewheel_words "end" "$current"; return ;;
    esac
    case ${words[0]} in
        run)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                :
            fi
            ;;
        validate)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                _tidewheel_files "$current"
            fi
            ;;
        eval)
            if [[ $current == -* ]]; then
                _tidewheel_words "-e --events --at --help" "$current"
            else
                _tidewheel_files "$current"
            fi
            ;;
        test)
            if [[ $current == -* ]]; then
                _tidewheel_words "--help" "$current"
            else
                _tidewheel_files "$current"
            fi
            ;;
        replay)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --from --until --help" "$current"
            else
                :
            fi
            ;;
        get)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                :
            fi
            ;;
        state)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                :
            fi
            ;;
        stale)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --older-than --by --limit --help" "$current"
            else
                :
            fi
            ;;
        print-config)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                :
            fi
            ;;
        healthcheck)
            if [[ $current == -* ]]; then
                _tidewheel_words "-c --config -s --set -X --property --help" "$current"
            else
                _tidewheel_words "live ready" "$current"
            fi
            ;;
        list)
            if [[ $current == -* ]]; then
                _tidewheel_words "--help" "$current"
            else
                _tidewheel_words "aggregates options metrics" "$current"
            fi
            ;;
        schema)
            if [[ $current == -* ]]; then
                _tidewheel_words "--help" "$current"
            else
                _tidewheel_words "config pipeline" "$current"
            fi
            ;;
        generate)
            if [[ $current == -* ]]; then
                _tidewheel_words "--help" "$current"
            else
                _tidewheel_words "man bash zsh fish reference" "$current"
            fi
            ;;
        version)
            if [[ $current == -* ]]; then
                _tidewheel_words "--help" "$current"
            else
                :
            fi
            ;;
    esac
}

complete -F _tidewheel tidewheel
