using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Tests.Specifications;

namespace RealtimeAspire.Tests.Server;

public sealed class InProcessBackplaneTests : BackplaneSpecification
{
    private InProcessBackplane? _last;

    private protected override Task<IBackplane> AddNodeAsync() => Task.FromResult<IBackplane>(_last = new InProcessBackplane(_last));
}
