"""Switches the lamp of a lighthouse, as its threshold says."""
import lamp

while lamp.is_installed():
    level = sensor.read()
    if level < THRESHOLD:
        lamp.switch_on()
    sleep(seconds=30)
