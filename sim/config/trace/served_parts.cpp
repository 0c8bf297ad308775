#include "config/trace/served_parts.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

class Walk {
  public:
    explicit Walk(const std::function<void(const JsonValue&, bool)>& take) : take_(take) {}

    void response(const JsonValue& value) {
        if (!value.json->is_object()) value.fail("a response with routed_experts");
        after_prompt_ = false;
        object(value);
    }

  private:
    // A value under a key, or one that is not present where there is none or null.
    static JsonValue find(const JsonValue& object, const char* key) {
        const auto at = object.json->find(key);
        const bool there = at != object.json->end() && !at->is_null();
        return {there ? &*at : nullptr, object.file, fmt::format("{}.{}", object.path, key)};
    }

    void object(const JsonValue& value) {
        const auto prompt = find(value, "prompt_routed_experts"), own = find(value, "routed_experts");
        if (prompt.present()) {
            take_(prompt, true);
            after_prompt_ = true;
        }
        if (own.present()) {
            take_(own, !after_prompt_);
            after_prompt_ = false;
        }
        for (const char* key : {"meta_info", "sglext"})
            if (const auto inner = find(value, key); inner.present() && inner.json->is_object()) object(inner);
        if (const auto choices = find(value, "choices"); choices.present() && choices.json->is_array())
            for (std::size_t i = 0; i < choices.json->size(); ++i)
                if (const auto& choice = (*choices.json)[i]; choice.is_object())
                    object({&choice, choices.file, fmt::format("{}[{}]", choices.path, i)});
    }

    const std::function<void(const JsonValue&, bool)>& take_;
    bool after_prompt_ = false;  // the next value continues the prompt's source
};

}  // namespace

void for_each_routing(const JsonValue& response, const std::function<void(const JsonValue&, bool)>& take) {
    Walk walk(take);
    if (!response.json->is_array()) return walk.response(response);
    for (std::size_t i = 0; i < response.json->size(); ++i)
        walk.response({&(*response.json)[i], response.file, fmt::format("{}[{}]", response.path, i)});
}

}  // namespace moesim
