using System.Net;
using System.Net.Sockets;

namespace RealtimeAspire.Tests.Support;

/// <summary>A port for a server that cannot choose one by itself, or has to have the same one again.</summary>
internal static class FreePort
{
    /// <summary>
    /// Below those that the system gives out by itself: the tests' other servers would take it before this one has started or
    /// when it has died, and answer in its name.
    /// </summary>
    public static int Next()
    {
        while (true)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(20_000, 30_000));
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Somebody has it; another will do.
            }
        }
    }
}
