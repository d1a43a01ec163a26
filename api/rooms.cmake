# The rooms of the surfaces: http knows no domain; control answers people, gateway answers gateways, cli is `serin`.
serin_room(http SEES base LINKS PkgConfig::MHD)
serin_room(control SEES base decision spec store rollout http)
# gateway sees store for publisher.c alone: nothing else of it may touch Postgres.
serin_room(gateway SEES base decision spec store http sources LINKS PkgConfig::UV PkgConfig::MHD)
serin_room(cli SEES base decision spec LINKS PkgConfig::CURL PkgConfig::YAML)
# main.c belongs to the executable alone: the tests of the room bring a main of their own.
get_target_property(cli_sources serin_cli SOURCES)
list(FILTER cli_sources EXCLUDE REGEX "/main\\.c$")
set_target_properties(serin_cli PROPERTIES SOURCES "${cli_sources}")
add_executable(serin ${CMAKE_SOURCE_DIR}/api/cli/main.c)
serin_see(serin cli base)
target_link_libraries(serin PRIVATE serin_cli)
