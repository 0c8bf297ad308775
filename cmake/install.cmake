# `cmake --install`: the program, its scenarios and topologies, and the library for find_package(moesim).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/moesim)

install(TARGETS moesim_program)
install(DIRECTORY scenarios topologies DESTINATION ${CMAKE_INSTALL_DATADIR}/moesim)  # scenarios name ../../topologies

install(TARGETS moesim EXPORT moesim)
install(DIRECTORY sim/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/moesim FILES_MATCHING PATTERN "*.hpp" PATTERN cli EXCLUDE)
install(EXPORT moesim FILE moesimTargets.cmake NAMESPACE moesim:: DESTINATION ${package_dir})
configure_package_config_file(cmake/moesimConfig.cmake.in moesimConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(moesimConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindCBC.cmake ${PROJECT_SOURCE_DIR}/cmake/FindMETIS.cmake
        DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/moesimConfig.cmake ${PROJECT_BINARY_DIR}/moesimConfigVersion.cmake
        DESTINATION ${package_dir})
