#!/bin/sh
# Creates the namespace of the service, unless it exists.
set -eu

temporal operator cluster health
temporal operator namespace describe --namespace "$NAMESPACE" > /dev/null 2>&1 ||
    temporal operator namespace create --namespace "$NAMESPACE" --retention 720h
