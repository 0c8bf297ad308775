#pragma once
// A scenario's placement: where experts live, and which copy of theirs tokens go to.
#include <cstdint>
#include <memory>

#include "config/json_object.hpp"
#include "config/reference.hpp"

namespace moesim {

struct PlacementDocument;
struct ModelSpec;
struct ParallelismSpec;

enum class PlacementMethod : unsigned char { contiguous, round_robin };

// Which copy of an expert that has several a token goes to: one as near as there is, or each in turn.
enum class ReplicaPolicy : unsigned char { locality, round_robin };

struct PlacementSpec {
    PlacementMethod method = PlacementMethod::contiguous;
    std::shared_ptr<const PlacementDocument> document;  // in the place of a method
    ReplicaPolicy replicas = ReplicaPolicy::locality;
    bool operator==(const PlacementSpec& o) const;
};

// Throws InputError where a key is unknown, or a file cannot be read or is of another model or another number of
// positions. A file's path is taken by `resolve`.
PlacementSpec parse_placement_spec(const JsonValue& value, const ModelSpec& model, const ParallelismSpec& parallelism,
                                   const ResolveFile& resolve);
nlohmann::ordered_json to_json(const PlacementSpec& spec);

}  // namespace moesim
