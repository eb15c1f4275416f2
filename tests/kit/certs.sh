#!/bin/sh
# Makes a CA and certificates of it for one test run, in the folder FOLDER:
#
#     certs.sh FOLDER     ca.pem  server.pem server.key  client.pem client.key
#                         other_ca.pem   has signed none of them
#                         elsewhere.pem  the server's, but for the host elsewhere.example
#                         expired.pem    the server's, and its time is over
#                         locked.key     the client's, under a passphrase
#
# The server is localhost, 127.0.0.1 and ::1.
set -eu
cd "$1"
umask 077

ca() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
}

request() { # NAME ALTERNATIVE_NAMES KEY: a new key, or the one that is there
    [ -e "$3.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$3.key"
    openssl req -new -key "$3.key" -subj "/CN=$1" -addext "subjectAltName=$2" -out "$1.csr"
}

sign() { # NAME DAYS
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -copy_extensions copy -days "$2" -out "$1.pem"
    rm "$1.csr"
}

{
    ca ca
    ca other_ca
    here=DNS:localhost,IP:127.0.0.1,IP:::1
    request server $here server
    sign server 2
    request elsewhere DNS:elsewhere.example server
    sign elsewhere 2
    request expired $here server
    sign expired 0
    request client DNS:tidewheel client
    sign client 2
    openssl pkcs8 -topk8 -in client.key -passout pass:locked -out locked.key
} >certs.log 2>&1 || {
    cat certs.log >&2
    exit 1
}
