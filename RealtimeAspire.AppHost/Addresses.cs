using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

namespace RealtimeAspire.AppHost;

/// <summary>The ports of this machine on which the system is reached. Null stands for any free one.</summary>
/// <param name="Dashboard">Always set, because the dashboard has to be told.</param>
internal sealed record Addresses(int? Web, int? Api, int Dashboard)
{
    /// <summary>
    /// Reads <c>Ports:Web</c> (5100 unless set), <c>Ports:Api</c> (5200) and <c>Ports:Dashboard</c> (18888), each 0 to 65535
    /// with 0 for any free port, makes sure that each is free, and configures the dashboard's addresses.
    /// </summary>
    /// <param name="problem">One line that names what is wrong and the setting that mends it.</param>
    public static bool TryRead(IConfigurationManager configuration, [NotNullWhen(true)] out Addresses? addresses, [NotNullWhen(false)] out string? problem)
    {
        addresses = null;
        if (!TryReadPort(configuration, "Web", 5100, out var web, out problem)
            || !TryReadPort(configuration, "Api", 5200, out var api, out problem)
            || !TryReadPort(configuration, "Dashboard", 18888, out var dashboard, out problem))
            return false;

        addresses = new Addresses(web, api, dashboard ?? FreePort());
        configuration["ASPNETCORE_URLS"] = $"http://localhost:{addresses.Dashboard}";
        configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] ??= $"http://localhost:{FreePort()}";
        configuration["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] ??= $"http://localhost:{FreePort()}";
        return true;
    }

    private static bool TryReadPort(IConfiguration configuration, string name, int otherwise, out int? port, [NotNullWhen(false)] out string? problem)
    {
        port = null;
        problem = null;
        var value = configuration[$"Ports:{name}"];
        var number = otherwise;
        if (value is not null && (!int.TryParse(value, out number) || number is < 0 or > IPEndPoint.MaxPort))
        {
            problem = $"Ports:{name} is '{value}', but has to be a port from 1 to {IPEndPoint.MaxPort}, or 0 for any free one.";
            return false;
        }

        if (number == 0)
            return true;
        port = number;
        if (IsFree(number))
            return true;
        problem = $"Port {number} ({name.ToLowerInvariant()}) is taken by another program. End that program, or choose another port with --Ports:{name}=<port> (0 for any free one).";
        return false;
    }

    private static bool IsFree(int port) => CanListen(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanListen(IPAddress.IPv6Loopback, port));

    private static bool CanListen(IPAddress address, int port)
    {
        using var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            // No such address on this machine, so nobody else has it either.
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Below those that the system gives out by itself: a connection of somebody else would take it before who it is for has started.</summary>
    private static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 30_000);
            if (IsFree(port))
            {
                return port;
            }
        }
    }
}
