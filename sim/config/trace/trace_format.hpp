#pragma once
#include <string>
#include <string_view>

#include "config/trace/trace_options.hpp"

namespace moesim {

// The format of a file's content; vllm stands for both servers, whose payloads tell. Throws InputError, naming what it
// is as far as that shows, where it is none: an archive, a pickle, another JSON.
TraceFormat format_of(std::string_view bytes, const std::string& file);

// Throws InputError for what is no trace in any case: nothing at all, an archive, a pickle.
void refuse_containers(std::string_view bytes, const std::string& file);

}  // namespace moesim
