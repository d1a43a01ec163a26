# The rooms of the surfaces: http knows no domain; control answers people, gateway answers gateways, cli is `serin`.
serin_room(http SEES base LINKS PkgConfig::MHD)
serin_room(control SEES base decision spec store rollout http)
# gateway sees store for publisher.c alone: nothing else of it may touch Postgres.
serin_room(gateway SEES base decision spec store http sources LINKS PkgConfig::UV PkgConfig::MHD)
