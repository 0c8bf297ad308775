#pragma once
// Network namespaces, as the calling thread's.
#include <string>

namespace moesim::testbed {

// The calling thread is in the namespace until the end of the scope; sockets that it opens there stay there.
class InNameSpace {
  public:
    explicit InNameSpace(const std::string& name);  // throws Error where there is none, or it may not be entered
    ~InNameSpace();
    InNameSpace(const InNameSpace&) = delete;
    InNameSpace& operator=(const InNameSpace&) = delete;

  private:
    int before_ = -1;
};

}  // namespace moesim::testbed
