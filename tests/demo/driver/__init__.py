"""The demo's driver: builds the services, runs them, drives users and judges what they saw."""
