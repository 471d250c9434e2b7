"""The container of `make demo`. Its settings: group_data/docker.py."""

hosts = ["@docker/mailstack-demo"]
