package demo;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.client.RestTemplateBuilder;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.openfeign.EnableFeignClients;
import org.springframework.cloud.openfeign.FeignClient;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/** The entry: asks pricing through Spring Cloud LoadBalancer, by RestTemplate and by Feign. */
@SpringBootApplication
@EnableFeignClients
@RestController
public class Shop {
    /** pricing as a declared client. */
    @FeignClient("pricing")
    public interface Pricing {
        @GetMapping("/price")
        String price(@RequestParam("item") String item);
    }

    /** The balanced RestTemplate. */
    @Configuration(proxyBeanMethods = false)
    static class Clients {
        @Bean
        @LoadBalanced
        RestTemplate restTemplate(RestTemplateBuilder builder) {
            return builder.build();
        }
    }

    private final RestTemplate rest;
    private final Pricing pricing;
    private final String copy;

    Shop(RestTemplate rest, Pricing pricing, @Value("${copy:base}") String copy) {
        this.rest = rest;
        this.pricing = pricing;
        this.copy = copy;
    }

    @GetMapping(value = "/buy", produces = "text/plain")
    public String buy(@RequestParam String item) {
        return "shop(" + copy + ")>" + rest.getForObject("http://pricing/price?item={item}", String.class, item);
    }

    @GetMapping(value = "/buy-feign", produces = "text/plain")
    public String buyFeign(@RequestParam String item) {
        return "shop(" + copy + ")>" + pricing.price(item);
    }

    public static void main(String[] args) {
        SpringApplication.run(Shop.class, args);
    }
}
