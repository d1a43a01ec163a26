# The rooms of the controller, ground floor first. SEES is the whole of what a room may include (see DESIGN in
# CONTRIBUTING.md): base <- decision <- spec <- store <- rollout <- reconcile; store <- sources, notify <- reconcile.
serin_room(base LINKS PkgConfig::JSONC PkgConfig::SODIUM PkgConfig::CURL PkgConfig::ZLIB Threads::Threads m)
serin_room(decision SEES base LINKS m)
# decision is pure: headers of everything that does I/O are shadowed by files that refuse to compile.
target_include_directories(serin_decision BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/controller/decision/refused)
serin_room(spec SEES base decision)

# store: an .sql file beside the .c that uses it becomes NAME.sql.h; the migrations are compiled in as a table.
file(GLOB store_sql CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/controller/store/*.sql)
file(GLOB migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/*.sql)
set(embed_sql ${CMAKE_SOURCE_DIR}/controller/store/embed_sql.awk)
set(sql_headers)
foreach(file IN LISTS store_sql)
  get_filename_component(name ${file} NAME)
  set(header ${CMAKE_BINARY_DIR}/sql/${name}.h)
  add_custom_command(OUTPUT ${header} COMMAND awk -f ${embed_sql} ${file} > ${header} DEPENDS ${file} ${embed_sql}
                     VERBATIM)
  list(APPEND sql_headers ${header})
endforeach()
set(migration_table "/* Generated: the migrations in order. */\n")
set(migration_rows "")
foreach(file IN LISTS migrations)
  get_filename_component(name ${file} NAME_WE)
  set(header ${CMAKE_BINARY_DIR}/sql/${name}.h)
  add_custom_command(OUTPUT ${header} COMMAND awk -v whole=migration_${name} -f ${embed_sql} ${file} > ${header}
                     DEPENDS ${file} ${embed_sql} VERBATIM)
  list(APPEND sql_headers ${header})
  string(APPEND migration_table "#include \"${name}.h\"\n")
  string(REGEX MATCH "^[0-9]+" number ${name})
  math(EXPR number "${number}")
  string(APPEND migration_rows "    {${number}, \"${name}\", migration_${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/sql/migrations.h
     CONTENT "${migration_table}static const struct migration migrations[] = {\n${migration_rows}};\n" @ONLY)
serin_room(store SEES base decision spec LINKS PkgConfig::PQ)
target_sources(serin_store PRIVATE ${sql_headers})
target_include_directories(serin_store PRIVATE ${CMAKE_BINARY_DIR}/sql)
serin_room(rollout SEES base decision spec store)
serin_room(sources SEES base decision spec store LINKS PkgConfig::CURL)
serin_room(notify SEES base decision store LINKS PkgConfig::CURL)
serin_room(reconcile SEES base decision spec store rollout sources notify)
