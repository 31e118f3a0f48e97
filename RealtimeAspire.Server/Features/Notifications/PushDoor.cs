using System.Net;
using System.Net.Http;
using System.Net.Sockets;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>An address that no browser's push service is at.</summary>
internal sealed class AddressRefusedException(string message) : IOException(message);

/// <summary>
/// The way to push services. Where they are browsers say, so whoever calls himself one could have this server ask anything: it goes to public addresses only, looks at the address that it
/// does connect to and not at one that a name had before, and follows nobody elsewhere.
/// </summary>
internal static class PushDoor
{
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ConnectionAge = TimeSpan.FromMinutes(2);

    public static SocketsHttpHandler Open(bool allowPrivateAddresses) => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ConnectTimeout = ConnectTime,
        PooledConnectionLifetime = ConnectionAge,
        ConnectCallback = async (context, cancellationToken) => await ConnectAsync(context.DnsEndPoint, allowPrivateAddresses, cancellationToken),
    };

    /// <summary>Whether an address is everybody's: none of this machine, of a private network, of a link, of a cloud's own services, or reserved.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return IsPublic(address.MapToIPv4());
        }

        var bytes = address.GetAddressBytes();
        if (address.AddressFamily is AddressFamily.InterNetwork)
        {
            return bytes switch
            {
                [0 or 10 or 127, ..] or [>= 224, ..] => false,
                [100, >= 64 and <= 127, ..] or [169, 254, ..] or [172, >= 16 and <= 31, ..] or [192, 168, ..] or [198, 18 or 19, ..] => false,
                [192, 0, 0 or 2, _] or [198, 51, 100, _] or [203, 0, 113, _] => false,
                _ => true,
            };
        }

        // Global unicast, but for documentation, and for what may lead to an IPv4 address: 6to4 and Teredo.
        return bytes is [>= 0x20 and <= 0x3F, ..] and not [0x20, 0x01, 0x0D, 0xB8, ..] and not [0x20, 0x02, ..] and not [0x20, 0x01, 0x00, 0x00, ..];
    }

    private static async Task<Stream> ConnectAsync(DnsEndPoint end, bool allowPrivateAddresses, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(end.Host, cancellationToken);
        var allowed = addresses.Where(address => allowPrivateAddresses || IsPublic(address)).ToArray();
        if (allowed.Length == 0)
        {
            throw new AddressRefusedException("its endpoint is at no public address");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, end.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
