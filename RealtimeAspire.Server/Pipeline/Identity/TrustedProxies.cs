using System.Net;

namespace RealtimeAspire.Server.Pipeline.Identity;

/// <summary>The proxies whose word counts.</summary>
internal static class TrustedProxies
{
    /// <summary>Reads an address, which is a range of one, or a range.</summary>
    public static bool TryParse(string text, out IPNetwork range)
    {
        if (IPAddress.TryParse(text, out var address))
        {
            range = new IPNetwork(address, address.GetAddressBytes().Length * 8);
            return true;
        }

        return IPNetwork.TryParse(text, out range);
    }
}
